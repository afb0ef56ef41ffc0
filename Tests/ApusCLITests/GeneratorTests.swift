import Apus
import Testing

@testable import ApusRuntime

/// What a packet holds, when it is one that a receiver would take.
private struct Seen: Equatable {
    var sourcePort: UInt16
    /// The first words of the payload: those of an RTP header, or the number in plain UDP. 0 where it is shorter.
    var words: [UInt32]
    var length: Int

    var number: UInt64 { UInt64(words[0]) << 32 | UInt64(words[1]) }
}

/// The generator's engine, over ports in memory.
@Suite struct GeneratorTests {
    private static func headers(_ destination: String, tags: VLANTags = VLANTags()) -> UDPEncapsulation {
        let to = Endpoint(destination)!
        let from = to.isIPv6Address ? Endpoint("[2001:db8::1]:1000")! : Endpoint("192.0.2.1:1000")!
        return UDPEncapsulation(
            nextHop: MACAddress("02:00:00:00:00:02")!, interface: MACAddress("02:00:00:00:00:01")!,
            tags: tags,
            source: from, destination: to)!
    }

    /// Sends all of a bounded traffic and gives what arrived; frames that are wrong in any way are issues.
    private func seen(_ traffic: GeneratedTraffic, _ headers: UDPEncapsulation) throws -> (
        [Seen], GeneratorReport
    ) {
        let pair = try MemoryPair(frames: 256, ringCapacity: 64)
        var here = pair.first
        var there = pair.second
        var generator = Generator(traffic, headers: headers)
        var all: [Seen] = []
        var burst = Burst()
        while !generator.isFinished {
            generator.run(on: &here, milliseconds: 1)
            while there.receive(into: &burst) > 0 {
                while let packet = burst.popFirst() { all.append(try read(packet.bytes)) }
            }
        }
        return (all, generator.finish(on: &here))
    }

    private func read(_ frame: RawSpan) throws -> Seen {
        let headers = try FlowHeaders(checking: frame)
        let checksum = headers.udpChecksumState(in: frame)
        try #require(checksum == .valid)
        try headers.checkAddresses()
        let start = Int(headers.transportOffset) + 8
        let payload = frame.extracting(start..<Int(headers.transportOffset) + Int(headers.udpLength))
        func word(_ offset: Int) -> UInt32 {
            guard payload.byteCount >= offset + 4 else { return 0 }
            return (0..<4).reduce(0) {
                unsafe $0 << 8 | UInt32(payload.unsafeLoad(fromByteOffset: offset + $1, as: UInt8.self))
            }
        }
        return Seen(
            sourcePort: headers.sourcePort, words: [word(0), word(4), word(8)], length: payload.byteCount)
    }

    @Test(arguments: ["192.0.2.2:5004", "[2001:db8::2]:5004"])
    func `RTP flows take turns, each with its own source, sequence and clock`(destination: String) throws {
        var traffic = GeneratedTraffic(
            .rtp(payloadType: 8, ssrc: 0xffff_ffff, clockRate: 8000), payloadSize: 172)
        (traffic.flows, traffic.rate, traffic.count) = (3, 30_000, 1000)
        let (all, report) = try seen(traffic, Self.headers(destination))
        #expect(all.count == 1000 && report.taken == 1000 && report.statistics.sent == 1000)
        #expect(report.statistics.drops.total == 0 && !report.isTooLong)
        for (index, packet) in all.enumerated() {
            // 8000 ticks a second for 10,000 packets a second: 0, 0, 1, 2, 3, 4, 4, …
            let turn = UInt32(index / 3)
            let words = [0x8008_0000 | turn, turn * 8 / 10, 0xffff_ffff &+ UInt32(index % 3)]
            #expect(packet == Seen(sourcePort: 1000 + UInt16(index % 3), words: words, length: 172))
        }
    }

    @Test func `plain UDP payloads begin with the packet's number, if they have room`() throws {
        for (size, tags) in [(8, VLANTags()), (1400, VLANTags(VLANTag(identifier: 7)))] {
            var traffic = GeneratedTraffic(.udp, payloadSize: size)
            traffic.count = 300
            let (all, _) = try seen(traffic, Self.headers("192.0.2.2:9", tags: tags))
            #expect(all.map(\.number) == (0..<300).map(UInt64.init))
            #expect(all.allSatisfy { $0.length == size })
        }
        for size in [0, 1, 7] {
            var traffic = GeneratedTraffic(.udp, payloadSize: size)
            traffic.count = 3
            let (all, _) = try seen(traffic, Self.headers("[2001:db8::2]:9"))
            #expect(all.map(\.length) == [size, size, size])
        }
    }

    @Test func `sequence numbers and checksums are right past the wrap`() throws {
        var traffic = GeneratedTraffic(.rtp(payloadType: 96, ssrc: 1, clockRate: 90_000), payloadSize: 12)
        traffic.count = 66_000
        let (all, _) = try seen(traffic, Self.headers("192.0.2.2:9"))
        #expect(all.map { $0.words[0] } == (0..<66_000).map { 0x8060_0000 | $0 & 0xffff })
    }

    @Test func `a port that takes nothing more ends the run in time and loses nothing`() throws {
        let pair = try MemoryPair(frames: 256, ringCapacity: 64)
        var here = pair.first
        var there = pair.second
        var traffic = GeneratedTraffic(.udp, payloadSize: 64)
        traffic.duration = 50_000_000
        var generator = Generator(traffic, headers: Self.headers("192.0.2.2:9"))
        var rounds = 0
        while !generator.isFinished, rounds < 1000 {
            generator.run(on: &here, milliseconds: 10)
            rounds += 1
        }
        #expect(rounds < 1000)
        let report = generator.finish(on: &here)
        var burst = Burst()
        var received = 0
        while there.receive(into: &burst) > 0 {
            received += burst.count
            burst.removeAll()
        }
        #expect(report.taken == UInt64(received) && received == 64)
    }

    @Test func `packets that no frame holds end it with a name`() throws {
        let pair = try MemoryPair()
        var here = pair.first
        var generator = Generator(
            GeneratedTraffic(.udp, payloadSize: 4000), headers: Self.headers("192.0.2.2:9"))
        generator.run(on: &here, milliseconds: 10)
        let isFinished = generator.isFinished
        #expect(isFinished)
        let report = generator.finish(on: &here)
        #expect(report.isTooLong && report.taken == 0)
    }
}

extension Endpoint {
    fileprivate var isIPv6Address: Bool { if case .v6 = address { true } else { false } }
}

@Suite struct GeneratorScheduleTests {
    @Test(arguments: [1, 3, 7, 10_000, 999_983, 1_000_000_000] as [UInt64])
    func `what is due never drifts from the rate`(rate: UInt64) {
        var schedule = GeneratorSchedule(rate: rate, start: 5)
        var made: UInt64 = 0
        // Looked at at odd moments for some hours.
        var now: UInt64 = 5
        var step: UInt64 = 1
        while now < 20_000_000_000_000 {
            made += schedule.due(at: now, made: made)
            let exact = UInt64(UInt128(now - 5) * UInt128(rate) / 1_000_000_000) + 1
            #expect(made == exact, "at \(now)")
            step = min(step * 3 + 1, 900_000_000)
            now += step
        }
        #expect(schedule.start == 5)
    }

    @Test func `a packet is due at its moment and not before`() {
        var schedule = GeneratorSchedule(rate: 3, start: 0)
        let moment = schedule.moment(of: 1)
        #expect(moment == 333_333_334)
        #expect(schedule.due(at: moment - 1, made: 1) == 0)
        #expect(schedule.due(at: moment, made: 1) == 1)
    }

    @Test func `after a stall no more than a second is made up for`() {
        var schedule = GeneratorSchedule(rate: 1000, start: 0)
        #expect(schedule.due(at: 500_000_000, made: 0) == 501)
        #expect((1000...1001).contains(schedule.due(at: 60_000_000_000, made: 501)))
        // From there on it goes at the rate again.
        #expect((9...11).contains(schedule.due(at: 60_010_000_000, made: 1502)))
    }

    @Test func `flat out all packets are due at once`() {
        var schedule = GeneratorSchedule(rate: nil, start: 9)
        #expect(schedule.due(at: 9, made: 1 << 60) == .max)
    }

    @Test(arguments: [1, 7, 24, 1000, 999_983] as [UInt64])
    func `timestamps advance by the clock rate each second`(rate: UInt64) {
        let ticks = GeneratorTicks(clockRate: 90_000, flows: 1, rate: rate)
        var (time, rest): (UInt32, UInt64) = (0, 0)
        for _ in 0..<rate { (time, rest) = ticks.next(time, rest) }
        #expect(time == 90_000 && rest == 0)
    }

    @Test func `a duration at a rate is a number of packets`() {
        var traffic = GeneratedTraffic(.udp, payloadSize: 0)
        #expect(traffic.packetLimit == .max)
        (traffic.rate, traffic.duration) = (10_000, 2_000_000_000)
        #expect(traffic.packetLimit == 20_000)
        traffic.duration = 2_000_000_001
        #expect(traffic.packetLimit == 20_001)
        traffic.count = 5
        #expect(traffic.packetLimit == 5)
    }
}
