import ApusConfig
import ApusPorts
import ApusRTP
import ApusWire
import Foundation
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// Interfaces with one queue under two and three workers, over AF_XDP: what the kernel does around it is real.
@Suite("A queue that workers share", .requires(.root), .timeLimit(.minutes(3)))
struct SharedQueueTests {
    typealias Line = ForwarderNetworkTests.Line

    private func configuration(
        _ workers: Int, spin: Int = 50, ring: Int = 256, to: [String]
    ) -> ForwarderConfiguration {
        var configuration = ForwarderNetworkTests.configuration(.xdp, listen: "10.1.0.2:5004", to: to)
        // All that the first of these tests sends has room, however late a worker comes to it.
        for index in configuration.interfaces.indices { configuration.interfaces[index].port.ringSize = ring }
        configuration.workers = WorkerConfiguration(count: workers, spin: spin)
        return configuration
    }

    /// Sixteen flows of `count` numbered packets each; `pause` seconds between two rounds of all.
    private func send(_ line: Line, count: Int, pause: Double) throws -> Running {
        let script = """
            import socket, time, struct
            all = []
            for f in range(16):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.1.0.1', 4000 + f)); all.append(s)
            for i in range(\(count)):
                for f, s in enumerate(all):
                    try: s.sendto(struct.pack('>II', f, i), ('10.1.0.2', 5004))
                    except OSError: pass
                time.sleep(\(pause))
            print('sent', flush=True); time.sleep(60)
            """
        return try line.camera.start(["python3", "-c", script])
    }

    /// Says how many came in all and how many of them after a later one of their flow, when five seconds have brought none.
    private func count(_ line: Line, port: Int = 5006) throws -> Running {
        let script = """
            import socket, struct
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.2.0.1', \(port)))
            s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
            print('bound', flush=True)
            last, count, late = {}, 0, 0
            while True:
                try: f, i = struct.unpack('>II', s.recv(100))
                except TimeoutError: break
                s.settimeout(5)
                late += i < last.get(f, -1); last[f] = i; count += 1
            print('result', count, len(last), late, flush=True)
            """
        let running = try line.screen.start(["python3", "-c", script])
        try running.waitForLine(containing: "bound")
        return running
    }

    @Test(arguments: [2, 3], [0, 1_000_000])
    func `Flows are spread over workers, all packets go on, and keep their order`(_ workers: Int, _ spin: Int)
        throws
    {
        let line = try Line("share")
        defer { line.lab.close() }
        let receivers = try [5006, 5008].map { try count(line, port: $0) }
        // Nothing is to wait for a next hop, of which there is room for some hundred packets.
        try line.relay.run("ping", "-c", "1", "-W", "5", "10.2.0.1")
        try line.relay.enter {
            let forwarder = try Forwarder(
                configuration(workers, spin: spin, ring: 8192, to: ["10.2.0.1:5006", "10.2.0.1:5008"]))
            let flows = forwarder.grants.flatMap(\.features).filter { $0.name == "flows" }
            #expect(
                flows.map(\.granted)
                    == Array(repeating: "spread over \(workers) workers by software", count: 2 * workers))
            _ = try send(line, count: 200, pause: 0.002)
            try ForwarderNetworkTests.attend(forwarder) {
                forwarder.status().accepted >= 3_200
            }
            for receiver in receivers { try receiver.waitForLine(containing: "result 3200 16 0") }
            for number in 0..<workers {
                #expect(forwarder.crew.members[number].board.counters.accepted.value > 0)
            }
            let last = forwarder.stop()
            #expect(last.copies == 6_400 && last.sent == 6_400 && last.accepted == 3_200)
            #expect(last.ports.allSatisfy { $0.pending == 0 && $0.drops.isEmpty })
            #expect(last.ports.reduce(0) { $0 + $1.received } == last.received)
            #expect(last.ports.reduce(0) { $0 + $1.sent } == last.sent)
        }
    }

    @Test func `An interface that goes and comes back is shared again`() throws {
        let line = try Line("again")
        defer { line.lab.close() }
        _ = try send(line, count: 3_000, pause: 0.01)
        try line.relay.enter {
            let forwarder = try Forwarder(configuration(2, to: ["10.2.0.1:5006"]))
            func seen() -> [UInt64] {
                (0..<2).map { forwarder.crew.members[$0].board.counters.accepted.value }
            }
            for name in ["near", "far", "near"] {
                let before = (seen(), forwarder.status().sent)
                try ForwarderNetworkTests.attend(forwarder) {
                    seen()[0] > before.0[0] && seen()[1] > before.0[1]
                        && forwarder.status().sent > before.1 + 20
                }
                try line.relay.run("ip", "link", "delete", "dev", name)
                try ForwarderNetworkTests.attend(forwarder) {
                    forwarder.status().interfaces.contains { !$0.isOpen }
                }
                if name == "near" {
                    try line.lab.link(
                        line.camera, "cam0", ["10.1.0.1/24"], line.relay, "near", ["10.1.0.2/24"])
                } else {
                    try line.lab.link(
                        line.relay, "far", ["10.2.0.2/24"], line.screen, "scr0", ["10.2.0.1/24"])
                }
                try ForwarderNetworkTests.attend(forwarder) {
                    forwarder.status().interfaces.allSatisfy(\.isOpen)
                }
            }
            let before = (seen(), forwarder.status().sent)
            try ForwarderNetworkTests.attend(forwarder) {
                seen()[0] > before.0[0] && seen()[1] > before.0[1] && forwarder.status().sent > before.1 + 20
            }
            _ = forwarder.stop()
        }
    }

    /// What the workers received and sent is what the ports did, and nothing is left to be sent.
    private func expectBalanced(_ last: ForwarderStatus, _ location: SourceLocation = #_sourceLocation) {
        let losses = RelayDrop.allCases.filter { !$0.isRefusal }
            .reduce(0) { $0 + last.drops[$1.label, default: 0] }
        #expect(last.copies == last.sent + losses, "\(last)", sourceLocation: location)
        #expect(last.ports.allSatisfy { $0.pending == 0 }, "\(last.ports)", sourceLocation: location)
        let received = last.ports.reduce(0) { $0 + $1.received }
        #expect(received == last.received, "\(last.ports)", sourceLocation: location)
        let taken = last.ports.reduce(0) {
            $0 + $1.sent + $1.drops[PortDrop.sendRefused.label, default: 0]
        }
        #expect(taken == last.sent, "\(last.sent): \(last.ports)", sourceLocation: location)
    }

    @Test(arguments: [1, 2])
    func `What is in the rings between workers at the stop is sent, or refused, and counted once`(
        _ queues: Int
    ) throws {
        let line = try Line("laststop", queues: queues)
        defer { line.lab.close() }
        _ = try send(line, count: 200_000, pause: 0)
        var configuration = configuration(queues + 1, to: (0..<8).map { "10.2.0.1:\(5006 + 2 * $0)" })
        configuration.limits.streams = 16
        try line.relay.enter(timeout: .seconds(60)) { [configuration] in
            for _ in 0..<5 {
                let forwarder = try Forwarder(configuration)
                let deadline = ContinuousClock.now + .milliseconds(50)
                while ContinuousClock.now < deadline { try forwarder.attend() }
                expectBalanced(forwarder.stop())
            }
        }
    }

    @Test func `It starts and stops under load a hundred times, and keeps no descriptor or thread`() throws {
        let line = try Line("cycles")
        defer { line.lab.close() }
        _ = try send(line, count: 200_000, pause: 0.001)
        // Threads, and what they are woken by and receive from.
        func held() -> (threads: Int, descriptors: Int) {
            let files = FileManager.default
            func names(_ folder: String) -> [String] {
                (try? files.contentsOfDirectory(atPath: folder)) ?? []
            }
            let open = names("/proc/self/fd")
                .compactMap { try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
                .filter { $0.hasPrefix("anon_inode:") || $0.hasPrefix("socket:") }
            return (names("/proc/self/task").count, open.count)
        }
        var configuration = configuration(2, to: ["10.2.0.1:5006"])
        // Tables of many streams take most of the time of a start.
        configuration.limits.streams = 16
        try line.relay.enter(timeout: .seconds(150)) { [configuration] in
            var first = held()
            var accepted: [UInt64] = [0, 0]
            for cycle in 0..<100 {
                let forwarder = try Forwarder(configuration)
                let deadline = ContinuousClock.now + .milliseconds(20)
                while ContinuousClock.now < deadline { try forwarder.attend() }
                for worker in 0..<2 {
                    accepted[worker] += forwarder.crew.members[worker].board.counters.accepted.value
                }
                let last = forwarder.stop()
                expectBalanced(last)
                if cycle == 3 { first = held() }
            }
            #expect(accepted.allSatisfy { $0 > 100 }, "\(accepted): both workers had something to do")
            let last = held()
            #expect(
                last.threads <= first.threads + 1 && last.descriptors <= first.descriptors, "\(first) \(last)"
            )
        }
    }
}
