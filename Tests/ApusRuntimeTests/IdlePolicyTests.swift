import ApusConfig
import ApusWire
import Foundation
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("Workers that come round late")
struct StallWatchTests {
    @Test func `A stall is noticed once, however long it lasts, and the next one again`() {
        var watch = StallWatch(IdlePolicy(spin: 0, sleep: 10))
        let second: UInt64 = 1_000_000_000
        // The last but one: it is back, and was round after the look began.
        let looks: [(beat: UInt64, now: UInt64)] = [
            (0, 50 * second), (second, second + 110_000_000), (second, second + 110_000_001),
            (second, 9 * second), (9 * second, 9 * second - 5), (9 * second, 10 * second),
        ]
        let noticed = looks.map { watch.look(at: $0.beat, $0.now) }
        #expect(noticed == [false, false, true, false, false, true])
        #expect(watch.stalls == 2)
    }

    @Test(.requires(.root), .timeLimit(.minutes(1)))
    func `Stalls of a forwarder's workers are counted in its status and told once`() throws {
        let line = try ForwarderNetworkTests.Line("stall")
        defer { line.lab.close() }
        try line.relay.enter {
            var configuration = ForwarderNetworkTests.configuration(
                .packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"])
            (configuration.workers.spin, configuration.workers.sleep) = (0, 1_000_000)
            let forwarder = try Forwarder(configuration)
            try ForwarderNetworkTests.attend(forwarder) { forwarder.crew.members[0].board.beat.value != 0 }
            // One second of sleep may pass; it is taken for a stall from here on.
            forwarder.crew.members[0].watch.limit = 300_000_000
            var told: [WorkerStall] = []
            try ForwarderNetworkTests.attend(forwarder) {
                told += forwarder.takeStalls()
                return forwarder.status().stalls > 0
            }
            told += forwarder.takeStalls()
            #expect(told.count == Int(forwarder.status().stalls) && told[0].worker == 0)
            #expect("\(told[0])".hasPrefix("worker 0 has not come round for 300 ms"))
        }
    }
}

/// What a worker takes of its core while little comes, and how long it takes to notice what comes.
@Suite("Idle workers", .requires(.root), .serialized, .timeLimit(.minutes(3)))
struct IdlePolicyTests {
    /// A thousand packets a second, each with the time at which it was sent.
    private static let sender = """
        import socket, struct, time
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        begin = time.monotonic_ns()
        for i in range(2500):
            rest = begin + i * 1_000_000 - time.monotonic_ns()
            if rest > 0: time.sleep(rest / 1e9)
            s.sendto(struct.pack('>Q', time.time_ns()), ('10.1.0.2', 5004))
        """

    /// Says how many came and how long they took, until the kernel of the receiver had them.
    private static let receiver = """
        import socket, struct
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.2.0.1', 5006))
        s.setsockopt(socket.SOL_SOCKET, 35, 1)
        print('bound', flush=True)
        took = []
        while True:
            try: data, more, _, _ = s.recvmsg(100, 100)
            except TimeoutError: break
            s.settimeout(1)
            seconds, nanoseconds = struct.unpack('qq', more[0][2])
            took.append(seconds * 1000000000 + nanoseconds - struct.unpack('>Q', data)[0])
        took = sorted(took[100:])
        at = lambda share: took[int(share * len(took))] // 1000
        print('result', len(took) + 100, at(0.5), at(0.99), flush=True)
        """

    /// Nanoseconds for which the first worker of this process had a core.
    private func used() -> UInt64 {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        for task in tasks {
            func text(_ name: String) -> String {
                (try? String(contentsOfFile: "/proc/self/task/\(task)/\(name)", encoding: .utf8)) ?? ""
            }
            if text("comm").hasPrefix("apus-forward-0") {
                return UInt64(text("schedstat").split(separator: " ").first ?? "0") ?? 0
            }
        }
        return 0
    }

    @Test(
        arguments: [BackendChoice.xdp, .packet],
        [("always spins", 0, 0), ("spins 25 µs", 25, 10_000), ("never spins", 0, 10_000)])
    func `At a thousand packets a second a worker that may sleep takes a tenth of a core at most`(
        _ backend: BackendChoice, _ policy: (name: String, spin: Int, sleep: Int)
    ) throws {
        let line = try ForwarderNetworkTests.Line("idle")
        defer { line.lab.close() }
        let receiver = try line.screen.start(["python3", "-c", Self.receiver])
        try receiver.waitForLine(containing: "bound")
        try line.relay.enter {
            var configuration = ForwarderNetworkTests.configuration(
                backend, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"])
            if backend == .xdp {
                for number in configuration.interfaces.indices {
                    configuration.interfaces[number].port.mode = .native
                }
            }
            (configuration.workers.spin, configuration.workers.sleep) = (policy.spin, policy.sleep)
            let forwarder = try Forwarder(configuration)
            _ = try line.camera.start(["python3", "-c", Self.sender])
            // When the neighbor is known.
            try ForwarderNetworkTests.attend(forwarder) { forwarder.status().received >= 200 }
            // The lowest of some, as interruptions by others are charged to it too.
            var lowest = Double.infinity
            for _ in 0..<5 {
                let (before, first) = (used(), forwarder.status().received)
                try ForwarderNetworkTests.attend(forwarder) { forwarder.status().received >= first + 400 }
                let packets = Double(forwarder.status().received - first)
                // As if a thousand came each second, which a busy machine does not send.
                lowest = min(lowest, Double(used() - before) / packets * 1_000 / 1e7)
            }
            let result = try receiver.waitForLine(containing: "result")
            print(
                "\(backend.rawValue) \(policy.name): \(lowest) % of a core; count, p50, p99 in µs: \(result)")
            #expect(policy.sleep == 0 ? lowest > 50 : lowest <= 10)
        }
    }
}
