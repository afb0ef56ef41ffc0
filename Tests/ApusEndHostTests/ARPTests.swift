import ApusEndHost
import ApusWire
import Testing

@Suite struct ARPTests {
    private let other = MACAddress("02:00:00:00:00:09")!

    /// A host with that address alone, which begins.
    private func begin() throws -> Rig {
        try Rig(isNew: true) {
            $0.mtu = 1000; $0.addresses = [AddressPrefix("192.0.2.2/24")!]
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the address is probed for three times, and announced twice`(seed: UInt64) throws {
        var rig = try Rig(isNew: true) {
            $0.mtu = 1000; $0.addresses = [AddressPrefix("192.0.2.2/24")!]
            $0.seed = seed &* 0x1234_5678_9abc_def1
        }
        let padding = [UInt8](repeating: 0, count: 18)
        let probe = Frame(Frame.arp(1, Rig.mac, "0.0.0.0", "192.0.2.2").octets + padding)
        let announcement = Frame(Frame.arp(1, Rig.mac, "192.0.2.2", "192.0.2.2").octets + padding)
        // RFC 5227 section 1.1.
        var last = rig.now
        for (frame, least, most) in [
            (probe, 0, 1), (probe, 1, 2), (probe, 1, 2), (announcement, 2, 2), (announcement, 2, 2),
        ] as [(Frame, UInt64, UInt64)] {
            let next = rig.host.deadline
            let due = try #require(next)
            #expect((least * second...most * second).contains(due - last))
            rig.now = due
            #expect(rig.due() == [frame])
            last = due
        }
        rig.pass(60)
        #expect(rig.host.deadline == nil)
        #expect(rig.count(.duplicateProbe) == 3 && rig.count(.announcement) == 2)
        rig.host.announce(at: rig.now)
        #expect(rig.pass(60).count == 5)
    }

    @Test
    func
        `an address that is found in use while it is probed for is given up, and had again when the link comes back`()
        throws
    {
        for claim in [
            Frame.arp(2, other, "192.0.2.2", Rig.mac, "0.0.0.0", to: Rig.mac),
            .arp(1, other, "192.0.2.2", "192.0.2.2"), .arp(1, other, "192.0.2.2", "192.0.2.1"),
            .arp(1, other, "0.0.0.0", "192.0.2.2"),
        ] {
            var rig = try begin()
            rig.pass(2.5)
            #expect(rig.host.addresses.count == 1)
            #expect(rig.give(claim) == .taken)
            #expect(rig.host.addresses.isEmpty && rig.host.deadline == rig.now + 60_000_000_000)
            #expect(rig.events() == [.duplicate(.v4(Rig.v4), other, isGivenUp: true)])
            #expect(rig.count(.announcement) == 0 && rig.counters.conflicts.value == 1)
            #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer == nil)
            rig.host.announce(at: rig.now)
            #expect(rig.host.addresses.count == 1 && rig.pass(10).count == 5)
            rig.expectConserved()
        }
    }

    @Test func `an address that was given up is asked for each minute, and had again when nobody answers`()
        throws
    {
        var rig = try begin()
        rig.pass(2.5)
        #expect(rig.give(.arp(1, other, "192.0.2.2", "192.0.2.2")) == .taken)
        #expect(rig.events() == [.duplicate(.v4(Rig.v4), other, isGivenUp: true)])
        for _ in 0..<3 {
            #expect(rig.pass(59.9).isEmpty)
            #expect(rig.pass(0.2).count == 1)
            // Whoever has it answers; it is not used here meanwhile.
            #expect(rig.give(.arp(2, other, "192.0.2.2", Rig.mac, "0.0.0.0", to: Rig.mac)) == .taken)
            #expect(rig.host.addresses.isEmpty && rig.events().isEmpty)
            #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer == nil)
        }
        #expect(rig.pass(70).count == 5)
        #expect(rig.host.addresses.count == 1 && rig.events() == [.regained(.v4(Rig.v4))])
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer != nil)
        rig.expectConserved()
    }

    @Test func `a claim in another VLAN takes no address away`() throws {
        for claim in [
            Frame.arp(1, other, "192.0.2.2", "192.0.2.2", tags: [7]),
            .arp(1, other, "0.0.0.0", "192.0.2.2", tags: [7]),
        ] {
            var rig = try begin()
            rig.pass(2.5)
            #expect(rig.give(claim) == .taken)
            #expect(rig.host.addresses.count == 1 && rig.events().isEmpty)
            #expect(rig.count(.otherVLAN) == 1)
            rig.expectConserved()
        }
    }

    @Test func `an address is used while it is probed for`() throws {
        var rig = try begin()
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer != nil)
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
    }

    @Test func `a request for an own address is answered, with its tags, and who asks is known`() throws {
        var rig = try Rig()
        let answer = rig.give(.arp(1, "192.0.2.1", "192.0.2.2", tags: [0x2005])).answer
        let expected = Frame.arp(
            2, Rig.mac, "192.0.2.2", Frame.peer, "192.0.2.1", to: Frame.peer, tags: [0x2005])
        #expect(answer?.octets == expected.octets + [UInt8](repeating: 0, count: 14))
        // Of another VLAN nothing is learned.
        #expect(rig.state("192.0.2.1") == nil)
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer != nil)
        #expect(rig.state("192.0.2.1") == .stale)
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        rig.expectConserved()
    }

    @Test func `requests for others, and by those that can't be, are not answered`() throws {
        var rig = try Rig()
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.3")) == .taken)
        #expect(rig.count(.otherARP) == 1)
        #expect(rig.give(.arp(1, "127.0.0.1", "192.0.2.2")) == .taken)
        #expect(rig.give(.arp(1, "192.0.2.255", "192.0.2.2")) == .taken)
        #expect(rig.give(.arp(1, .broadcast, "192.0.2.1", "192.0.2.2")) == .taken)
        #expect(rig.count(.badSource) == 3)
        #expect(rig.give(.arp(1, Rig.mac, "192.0.2.1", "192.0.2.2")) == .taken)
        #expect(rig.count(.ownFrame) == 1)
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2", to: other)) == .notMine)
        var short = Frame.arp(1, "192.0.2.1", "192.0.2.2")
        short.octets.removeLast()
        #expect(rig.give(short) == .taken)
        #expect(rig.counters.parseFailures[Int(ParseFailure.truncatedARP.rawValue)].value == 1)
        rig.expectConserved()
    }

    @Test(arguments: [false, true])
    func `a flood of questions is answered so many times, and own ones go out meanwhile`(isIPv6: Bool) throws
    {
        var rig = try Rig()
        let question: Frame =
            isIPv6 ? .solicitation("2001:db8::2") : .arp(1, "192.0.2.1", "192.0.2.2")
        func flood(_ count: Int) -> Int {
            (0..<count).count { _ in rig.give(question).answer != nil }
        }
        #expect(flood(5000) == 1000 && rig.count(.rateLimited) == 4000)
        #expect(rig.resolve("192.0.2.9") == .pending && rig.resolve("2001:db8::9") == .pending)
        #expect(rig.due().count == 2)
        // Ten thousand a second, as they come.
        var answers = 0
        for _ in 0..<100 {
            rig.now += second / 100
            answers += flood(200)
        }
        #expect(answers == 10_000)
        rig.expectConserved()
    }

    @Test func `in a flood neighbors that packets go to and probes for duplicates are answered all the same`()
        throws
    {
        var rig = try Rig()
        let (used, other) = (MACAddress("02:00:00:00:00:07")!, MACAddress("02:00:00:00:00:08")!)
        #expect(rig.resolve("192.0.2.7") == .pending)
        #expect(rig.due().count == 1)
        #expect(rig.give(.arp(2, used, "192.0.2.7", Rig.mac, "192.0.2.2", to: Rig.mac)) == .taken)
        #expect(rig.resolve("192.0.2.7") == .ready(used))
        for _ in 0..<2000 { _ = rig.give(.arp(1, "192.0.2.1", "192.0.2.2")) }
        #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2")).answer == nil)
        #expect(rig.give(.arp(1, used, "192.0.2.7", "192.0.2.2")).answer?.destination == used)
        #expect(rig.give(.arp(1, other, "0.0.0.0", "192.0.2.2")).answer?.destination == other)
        // Whoever only says that it is the neighbor.
        #expect(rig.give(.arp(1, other, "192.0.2.7", "192.0.2.2")).answer == nil)
        rig.expectConserved()
    }

    @Test func `who probes for duplicates is answered, and not learned`() throws {
        var rig = try Rig()
        let answer = rig.give(.arp(1, "0.0.0.0", "192.0.2.2")).answer
        #expect(answer?.destination == Frame.peer)
        var known = 0
        rig.host.forEachNeighbor { _ in known += 1 }
        #expect(known == 0)
    }

    @Test func `a neighbor is asked for three times, and then unreachable`() throws {
        var rig = try Rig()
        #expect(rig.resolve("192.0.2.1") == .pending)
        #expect(rig.host.deadline == 0)
        let question =
            Frame.arp(1, Rig.mac, "192.0.2.2", "192.0.2.1").octets + [UInt8](repeating: 0, count: 18)
        #expect(rig.due() == [Frame(question)])
        #expect(rig.pass(2.9).count == 2)
        #expect(rig.resolve("192.0.2.1") == .pending)
        #expect(rig.events() == [])
        #expect(rig.pass(0.2) == [])
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .unreachable(.noAnswer))])
        #expect(rig.resolve("192.0.2.1") == .unreachable(.noAnswer))
        #expect(rig.pass(60) == [])
        #expect(rig.resolve("192.0.2.1") == .unreachable(.noAnswer))
        #expect(rig.pass(0) == [Frame(question)])
        #expect(rig.counters.neighborsFailed.value == 1)
    }

    @Test func `a reply is taken from whom was asked only`() throws {
        var rig = try Rig()
        let reply = Frame.arp(2, "192.0.2.1", Rig.mac, "192.0.2.2", to: Rig.mac)
        #expect(rig.give(reply) == .taken)
        #expect(rig.count(.unsolicited) == 1 && rig.state("192.0.2.1") == nil)
        _ = rig.resolve("192.0.2.1")
        rig.due()
        #expect(rig.give(.arp(2, other, "192.0.2.7", Rig.mac, "192.0.2.2", to: Rig.mac)) == .taken)
        #expect(rig.state("192.0.2.7") == nil)
        #expect(rig.give(reply) == .taken)
        #expect(rig.state("192.0.2.1") == .reachable)
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .ready(Frame.peer))])
        rig.expectConserved()
    }

    @Test func `an announcement changes whom we know already, who then is asked, and nobody else`() throws {
        var rig = try Rig()
        let announcement = Frame.arp(2, other, "192.0.2.1", "192.0.2.1")
        #expect(rig.give(announcement) == .taken)
        #expect(rig.give(.arp(1, other, "192.0.2.1", "192.0.2.1")) == .taken)
        #expect(rig.state("192.0.2.1") == nil && rig.count(.unsolicited) == 1 && rig.count(.otherARP) == 1)
        _ = rig.resolve("192.0.2.1")
        rig.due()
        rig.give(.arp(2, "192.0.2.1", Rig.mac, "192.0.2.2", to: Rig.mac))
        _ = rig.events()
        #expect(rig.give(announcement) == .taken)
        #expect(rig.state("192.0.2.1") == .stale)
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .ready(other))])
        #expect(rig.counters.neighborsMoved.value == 1)
        #expect(rig.resolve("192.0.2.1") == .ready(other))
        let questions = rig.pass(5.1)
        #expect(questions.count == 1 && questions[0].destination == other)
        rig.expectConserved()
    }

    @Test func `who has our address is told of, and answered once in ten seconds`() throws {
        var rig = try Rig()
        let claim = Frame.arp(2, other, "192.0.2.2", "192.0.2.2")
        let defense = rig.give(claim).answer
        #expect(defense?.destination == .broadcast)
        #expect(defense?.octets.starts(with: Frame.arp(1, Rig.mac, "192.0.2.2", "192.0.2.2").octets) == true)
        #expect(rig.events() == [.duplicate(.v4(Rig.v4), other, isGivenUp: false)])
        #expect(rig.give(claim) == .taken)
        rig.pass(10)
        #expect(rig.give(claim).answer != nil)
        #expect(rig.counters.conflicts.value == 3)
        #expect(rig.host.addresses.count == 3)
        rig.expectConserved()
    }
}
