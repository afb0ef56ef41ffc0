import ApusConfig
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusRuntime

@Suite("The figures that answers are made of", .timeLimit(.minutes(2)))
struct StatusCacheTests {
    /// A forwarder with other figures each time it is asked.
    private final class Counting: ServedForwarder {
        let warnings: [ConfigurationError] = []
        var descriptor: Int32 { -1 }
        private var calls: UInt64 = 0
        private let streams: [ForwarderStatus.Stream]

        init(streams: Int = 0) {
            self.streams = (0..<streams).map { ForwarderStatus.stream("stream \($0)", packets: 1) }
        }

        func takeStalls() -> [WorkerStall] { [] }
        func takeNews() -> [InterfaceNews] { [] }
        func attend() throws(ForwarderError) {}
        func reload(_ new: ForwarderConfiguration) throws(ForwarderError) {}
        func stop() -> ForwarderStatus { status() }
        func status() -> ForwarderStatus {
            calls += 1
            var status = ForwarderStatus()
            (status.received, status.streams) = (calls, streams)
            return status
        }
    }

    @Test("there are four at most, whoever holds them, and fresh ones again when they are let go")
    func bound() {
        let cache = StatusCache(interval: 0)
        cache.serve(Counting())
        var held = (0..<50).map { _ in cache.snapshot }
        #expect(cache.snapshots == StatusCache.mostSnapshots)
        #expect(held.map(\.status.received) == [1, 2, 3] + [UInt64](repeating: 4, count: 47))
        // One of the old ones is free: there is room for a newer one.
        held.removeFirst()
        #expect(cache.snapshot.status.received == 5)
        held = []
        #expect(cache.snapshot.status.received > 5 && cache.snapshots <= StatusCache.mostSnapshots)
    }

    @Test("who asks often without holding any gets new ones each time, and keeps the last one alone")
    func nobodyHolds() {
        let cache = StatusCache(interval: 0)
        cache.serve(Counting())
        for call in 1...20 { #expect(cache.status.received == UInt64(call)) }
        #expect(cache.snapshots == 1)
    }

    @Test("within a tenth of a second all share one")
    func shared() {
        let cache = StatusCache()
        cache.serve(Counting())
        // Unless the machine takes that long between the two.
        var isShared = false
        for _ in 0..<20 where !isShared { isShared = cache.snapshot === cache.snapshot }
        #expect(isShared)
    }

    private final class Seen: Sendable {
        let most = Atomic<Int>(0)
        let answered = Atomic<Int>(0)
    }

    @Test("sixteen clients that don't take their answers hold four at most, and one who does is served")
    func slowClients() throws {
        let folder = Folder()
        let configuration = ControlConfiguration(socket: folder.path + "/control.sock")
        let seen = Seen()
        let pump = try Pump { () throws(ServiceError) in
            let cache = StatusCache(interval: 0)
            cache.serve(Counting(streams: 5000))
            let control = try ControlSocket(configuration)
            return (
                control.descriptor, { nil },
                {
                    control.attend { command, _ in
                        guard command == .status else { return .done() }
                        seen.answered.add(1, ordering: .relaxed)
                        return .status(cache.snapshot)
                    }
                    seen.most.store(
                        max(seen.most.load(ordering: .relaxed), cache.snapshots), ordering: .relaxed)
                }
            )
        }
        defer { pump.end() }
        let client = try Script(
            """
            import socket, json
            def connect():
                s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect("\(configuration.socket)"); return s
            slow = []
            for _ in range(15):
                s = connect(); s.sendall(b"status\\n"); s.recv(1); slow.append(s)
            s = connect(); s.sendall(b"status\\n")
            print(len(json.loads(s.makefile().readline())["status"]["streams"]))
            for s in slow:
                assert len(json.loads("{" + s.makefile().readline())["status"]["streams"]) == 5000
            print("whole")
            """)
        #expect(client.line() == "5000")
        #expect(client.line() == "whole")
        #expect(seen.answered.load(ordering: .relaxed) == 16)
        #expect(seen.most.load(ordering: .relaxed) == StatusCache.mostSnapshots)
    }
}
