import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What a worker takes of its core while little comes, and how long it takes to notice what comes.
    @Suite(.requires(.root), .timeLimit(.minutes(3)))
    struct IdleTests {
        /// A thousand packets a second, each with the time at which it was sent, until it is stopped.
        private static let sender = """
            import socket, struct, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            begin = time.monotonic_ns()
            i = 0
            while True:
                rest = begin + i * 1_000_000 - time.monotonic_ns()
                if rest > 0: time.sleep(rest / 1e9)
                s.sendto(struct.pack('>Q', time.time_ns()), ('192.0.2.2', 5004))
                i += 1
            """

        /// Says how many came and how long they took, until the kernel of the receiver had them.
        private static let receiver = """
            import socket, struct
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('198.51.100.1', 5006))
            s.setsockopt(socket.SOL_SOCKET, 35, 1)
            print('bound', flush=True)
            took = []
            while True:
                try: data, more, _, _ = s.recvmsg(100, 100)
                except TimeoutError: break
                s.settimeout(3)
                seconds, nanoseconds = struct.unpack('qq', more[0][2])
                took.append(seconds * 1000000000 + nanoseconds - struct.unpack('>Q', data)[0])
            took = sorted(took[100:])
            at = lambda share: took[int(share * len(took))] // 1000
            print('result', len(took) + 100, at(0.5), at(0.99), flush=True)
            """

        /// Nanoseconds for which the first worker of a process had a core.
        private static func used(_ process: pid_t) throws -> UInt64 {
            let tasks = "/proc/\(process)/task"
            func text(_ task: String, _ name: String) -> String {
                (try? String(contentsOfFile: "\(tasks)/\(task)/\(name)", encoding: .utf8)) ?? ""
            }
            let worker = try FileManager.default.contentsOfDirectory(atPath: tasks).first {
                text($0, "comm").hasPrefix("apus-forward-0")
            }
            let figures = try text(#require(worker, "no worker in \(tasks)"), "schedstat").split(
                separator: " ")
            return try #require(figures.first.flatMap { UInt64($0) })
        }

        @Test(
            arguments: [Backend.native, .packetSocket],
            [("always spins", 0, 0), ("spins 25 µs", 25, 10_000), ("never spins", 0, 10_000)])
        func `At a thousand packets a second a worker that may sleep takes a tenth of a core at most`(
            _ backend: Backend, _ policy: (name: String, spin: Int, sleep: Int)
        ) throws {
            try #require(ApusProgram.isRelease, "this is about the release build: run make build first")
            let scene = try Scene("idle")
            try scene.warmUp()
            let receiver = try scene.receiver.start(["python3", "-c", Self.receiver])
            try receiver.waitForLine(containing: "bound")
            let forward = try ApusForward(
                in: scene.relay,
                backend.options + [
                    "-l", "192.0.2.2:5004", "-t", "198.51.100.1:5006", "--spin", "\(policy.spin)",
                    "--sleep", "\(policy.sleep)",
                ])
            let sender = try scene.sender.start(["python3", "-c", Self.sender])
            try forward.wait(for: "the first packets") { $0.received >= 200 }
            // The lowest of some, as interruptions by others are charged to it too; where those are many, of more.
            var (lowest, windows) = (Double.infinity, 0)
            while windows < 5 || (policy.sleep > 0 && lowest > 10 && windows < 40) {
                windows += 1
                let (before, first) = (try Self.used(forward.process.pid), try forward.status().received)
                let last = try forward.wait(for: "more packets") { $0.received >= first + 200 }.received
                // As if a thousand came each second, which a busy machine does not send.
                let used = Double(try Self.used(forward.process.pid) - before)
                lowest = min(lowest, used / Double(last - first) * 1_000 / 1e7)
            }
            sender.kill()
            let result = try receiver.waitForLine(containing: "result")
            _ = try forward.finish()
            print(
                """
                \(backend.rawValue) \(policy.name): \(lowest) % of a core, the lowest of \(windows) times; \
                count, p50, p99 in µs: \(result)
                """)
            #expect(policy.sleep == 0 ? lowest > 50 : lowest <= 10)
        }
    }
}
