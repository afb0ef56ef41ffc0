import ApusPacketSocket
import ApusPorts
import ApusRings
import NetworkLab
import Testing

@Suite("Several workers", .requires(.root, .program("python3")), .timeLimit(.minutes(5)))
struct FanoutTests {
    private func pool() throws -> FramePool {
        try FrameMemory(frames: 1024, hugePages: .never).makePool(frames: 1024)
    }

    /// 64 flows, each of ten packets, mixed.
    private let flows = (0..<10).flatMap { number in
        (0..<64).map { Datagram(sourcePort: UInt16(7000 + $0), payload: [UInt8(number), UInt8($0)]).frame }
    }

    /// The flow of a frame.
    private func flow(_ frame: [UInt8]) -> UInt8 { frame[43] }

    @Test("flows are spread over the workers, each stays with one and in order", arguments: rings)
    func hash(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("fanout")
        defer { scene.close() }
        let interface = try scene.open {
            $0.workers = 2
            $0.receiveRing = ring
            $0.filter = .udpPorts([5004])
        }
        var first = try interface.makePort(worker: 0, pool: pool())
        var second = try interface.makePort(worker: 1, pool: pool())
        #expect(first.grant.queue == 0)
        #expect(second.grant.queue == 1)
        #expect(second.grant.description.contains("fanout 2 workers by flow hash"))
        try scene.send(flows)
        let (one, other) = (first.frames(640), second.frames(640))
        #expect(one.count + other.count == 640)
        // Of 64 flows, fewer than eight on one side would be one chance in ten thousand million.
        #expect(one.count >= 80)
        #expect(other.count >= 80)
        #expect(Set(one.map(flow)).isDisjoint(with: other.map(flow)))
        for share in [one, other] {
            for (_, packets) in Dictionary(grouping: share, by: flow) {
                #expect(packets.map { $0[42] } == Array(0..<10))
            }
        }
        try scene.send([Datagram(port: 5005).frame])
        #expect(first.frames(1).isEmpty)
        #expect(second.frames(1).isEmpty)
    }

    @Test("the flows of a worker that has closed its port move to the others")
    func leaving() throws {
        let scene = try Scene("leaving")
        defer { scene.close() }
        let interface = try scene.open { $0.workers = 2 }
        var first = try interface.makePort(worker: 0, pool: pool())
        do {
            let second = try interface.makePort(worker: 1, pool: pool())
            _ = consume second
        }
        try scene.send(flows)
        expectSame(first.frames(640), flows)
        // A filter can still be set, on the port that is left.
        try interface.setFilter(.nothing)
        try scene.send(flows)
        #expect(first.frames(1).isEmpty)
    }

    @Test(
        "with rollover the packets of a worker that is full go to the next, without it they are lost",
        arguments: [true, false])
    func rollover(enabled: Bool) throws {
        let scene = try Scene("rollover")
        defer { scene.close() }
        let interface = try scene.open {
            $0.workers = 2
            $0.receiveRing = .slots(count: 64)
            $0.fanoutRollover = enabled
        }
        var first = try interface.makePort(worker: 0, pool: pool())
        var second = try interface.makePort(worker: 1, pool: pool())
        // One flow, more than one ring holds and less than both.
        try scene.flood(Datagram().frame, count: 100)
        let received = first.frames(100).count + second.frames(100).count
        let lost = first.statistics().drops[.receiveRingFull] + second.statistics().drops[.receiveRingFull]
        #expect(received == (enabled ? 100 : 64))
        #expect(lost == (enabled ? 0 : 36))
    }

    @Test("two openings of one interface have groups of their own", arguments: PacketSocketFanout.allCases)
    func groups(fanout: PacketSocketFanout) throws {
        let scene = try Scene("groups", queues: 2)
        defer { scene.close() }
        let open = {
            try scene.open { options in
                options.workers = 2
                options.fanout = fanout
            }
        }
        let (one, other) = (try open(), try open())
        try scene.send(flows)
        for interface in [one, other] {
            var first = try interface.makePort(worker: 0, pool: pool())
            var second = try interface.makePort(worker: 1, pool: pool())
            #expect(first.frames(640).count + second.frames(640).count == 640)
        }
    }

    @Test("each worker's port is handed out once")
    func once() throws {
        let scene = try Scene("once")
        defer { scene.close() }
        let interface = try scene.open { $0.workers = 2 }
        let port = try interface.makePort(worker: 1, pool: pool())
        let taken = #expect(throws: PacketSocketError.self) { try again(interface, 1) }
        #expect(taken == .workerTaken(1))
        let missing = #expect(throws: PacketSocketError.self) { try again(interface, 2) }
        #expect(missing == .noSuchWorker(2, workers: 2))
        _ = consume port
    }

    private func again(_ interface: PacketSocketInterface, _ worker: Int) throws {
        _ = try interface.makePort(worker: worker, pool: pool())
    }
}
