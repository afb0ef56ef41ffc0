import ApusEndHost
import ApusWire
import Testing

@Suite struct NeighborDiscoveryTests {
    private let other = MACAddress("02:00:00:00:00:09")!
    private let peer = "2001:db8::1"

    @Test func `addresses are asked for, and then advertised`() throws {
        var rig = try Rig(isNew: true) { $0.addresses = [] }
        let frames = rig.pass(5).filter { $0.packet[6] == 58 }
        #expect(frames.count == 2)
        guard frames.count == 2 else { return }
        let group = "ff02::1:ff00:2"
        let probe = frames[0].icmp(from: "::", to: group)
        #expect(
            probe.count == 24 && probe[0] == 135 && Array(probe[8...]) == IPAddress.v6(Rig.linkLocal).octets)
        #expect(frames[0].destination == MACAddress("33:33:ff:00:00:02") && frames[0].packet[7] == 255)
        let advertisement = frames[1].icmp(from: "fe80::ff:fe00:2", to: "ff02::1")
        #expect(advertisement[0] == 136 && advertisement[4] == 0x20)
        #expect(frames[1].destination == MACAddress("33:33:00:00:00:01"))
        #expect(rig.count(.duplicateProbe) == 1 && rig.count(.announcement) == 1)
    }

    @Test(arguments: ["2001:db8::2", "fe80::ff:fe00:2"])
    func `a solicitation of an own address is answered, and who asks is known`(target: String) throws {
        var rig = try Rig()
        for destination in [nil, target] {
            let answer = rig.give(.solicitation(target, to: destination, tags: [5])).answer
            #expect(answer?.destination == Frame.peer && answer?.tags == [5])
            let message = answer?.icmp(from: target, to: peer) ?? []
            #expect(message.prefix(5) == [136, 0] + message[2..<4] + [0x60])
            #expect(Array(message[8...]) == IPAddress(target)!.octets + [2, 1] + Rig.mac.octets)
            #expect(answer?.packet[7] == 255)
        }
        #expect(rig.state(peer) == nil)
        rig.give(.solicitation(target))
        #expect(rig.state(peer) == .stale)
        rig.expectConserved()
    }

    @Test func `a solicitation without an address is answered the way that it came`() throws {
        var rig = try Rig()
        let answer = rig.give(.solicitation("2001:db8::2", option: nil, to: "2001:db8::2", sender: other))
            .answer
        #expect(answer?.destination == other && rig.state(peer) == nil)
    }

    @Test func `what does not come from the link, or is not for us, is not answered`() throws {
        var rig = try Rig()
        #expect(rig.give(.solicitation("2001:db8::2", hops: 254)) == .taken)
        #expect(rig.counters.parseFailures[Int(ParseFailure.badNeighborMessage.rawValue)].value == 1)
        var damaged = Frame.solicitation("2001:db8::2")
        damaged.octets[60] ^= 1
        #expect(rig.give(damaged) == .taken)
        #expect(rig.counters.parseFailures[Int(ParseFailure.badICMPChecksum.rawValue)].value == 1)
        #expect(rig.give(.solicitation("2001:db8::7")) == .taken)
        // Same group, other address.
        #expect(rig.give(.solicitation("2001:db8:1::2")) == .taken)
        #expect(rig.count(.otherDestination) == 2)
        #expect(rig.give(.solicitation("2001:db8::2", option: .broadcast)) == .taken)
        #expect(rig.count(.badSource) == 1)
        #expect(rig.give(.solicitation("2001:db8::2", from: "2001:db8::2")) == .taken)
        #expect(rig.events() == [.duplicate(.v6(Rig.v6), Frame.peer, isGivenUp: false)])
        // Who is not on the link gets an answer, but no place.
        #expect(rig.give(.solicitation("2001:db8::2", from: "2001:db8:9::1")).answer != nil)
        #expect(rig.state("2001:db8:9::1") == nil)
        rig.expectConserved()
    }

    @Test func `router advertisements and redirects are ignored`() throws {
        var rig = try Rig()
        for (type, drop) in [
            (UInt8(134), EndHostDrop.routerMessage), (137, .redirect), (129, .echoReply), (130, .badQuery),
        ] {
            let message = Frame.icmpv6(type, 0, [UInt8](repeating: 0, count: 36), "fe80::1", "ff02::1")
            let frame = Frame.ipv6(
                58, message, from: "fe80::1", to: "ff02::1", mac: MACAddress("33:33:00:00:00:01")!)
            #expect(rig.give(frame) == .taken)
            #expect(rig.count(drop) == 1)
        }
        rig.expectConserved()
    }

    @Test func `a neighbor is solicited by its group, and known by its advertisement`() throws {
        var rig = try Rig()
        #expect(rig.give(.advertisement(peer, flags: 0x60)) == .taken)
        #expect(rig.state(peer) == nil && rig.count(.unsolicited) == 1)
        #expect(rig.resolve(peer) == .pending)
        let frames = rig.due()
        #expect(frames.count == 1 && frames[0].destination == MACAddress("33:33:ff:00:00:01"))
        let message = frames[0].icmp(from: "2001:db8::2", to: "ff02::1:ff00:1")
        #expect(Array(message[8...]) == IPAddress(peer)!.octets + [1, 1] + Rig.mac.octets)
        #expect(rig.give(.advertisement(peer, flags: 0xe0)) == .taken)
        #expect(rig.state(peer) == .reachable && rig.host.neighbor(IPAddress(peer)!)?.isRouter == true)
        #expect(rig.events() == [.neighbor(IPAddress(peer)!, .ready(Frame.peer))])
        rig.expectConserved()
    }

    /// RFC 4861 section 7.2.5, and the table of its appendix C.
    @Test(arguments: [
        // From, flags, address given: to, at the new address.
        ("incomplete", 0x60, true, "reachable", true), ("incomplete", 0x00, true, "stale", true),
        ("incomplete", 0x40, false, "incomplete", false),
        ("reachable", 0x00, true, "stale", false), ("reachable", 0x40, true, "stale", false),
        ("reachable", 0x20, true, "stale", true), ("reachable", 0x60, true, "reachable", true),
        ("reachable", 0x40, false, "reachable", false), ("reachable", 0x00, false, "reachable", false),
        ("stale", 0x00, true, "stale", false), ("stale", 0x40, true, "stale", false),
        ("stale", 0x20, true, "stale", true), ("stale", 0x60, true, "reachable", true),
        ("stale", 0x40, false, "reachable", false),
        ("delay", 0x40, true, "delay", false), ("delay", 0x20, true, "stale", true),
        ("delay", 0x60, true, "reachable", true), ("delay", 0x60, false, "reachable", false),
        ("probe", 0x40, true, "probe", false), ("probe", 0x20, true, "stale", true),
        ("probe", 0x60, true, "reachable", true), ("probe", 0x00, false, "probe", false),
    ])
    func `an advertisement does what the table says`(
        from: String, flags: Int, given: Bool, to: String, moves: Bool
    ) throws {
        var rig = try Rig()
        _ = rig.resolve(peer)
        rig.due()
        if from != "incomplete" {
            rig.give(.advertisement(peer, flags: 0x60))
            if from != "reachable" { rig.pass(46) }
            if from == "delay" || from == "probe" { _ = rig.resolve(peer) }
            if from == "probe" { rig.pass(5) }
        }
        #expect(rig.state(peer)?.rawValue == from)
        rig.give(.advertisement(peer, flags: UInt8(flags), option: given ? other : nil))
        #expect(rig.state(peer)?.rawValue == to)
        let mac = rig.host.neighbor(IPAddress(peer)!)?.mac
        #expect(mac == (to == "incomplete" ? nil : moves ? other : Frame.peer))
        rig.expectConserved()
    }

    @Test func `an address that another has already is given up`() throws {
        var rig = try Rig(isNew: true)
        while rig.count(.duplicateProbe) < 2 { rig.pass(0.1) }
        #expect(
            rig.give(.advertisement("2001:db8::2", flags: 0x20, option: other, to: "ff02::1", sender: other))
                == .taken)
        #expect(rig.events() == [.duplicate(.v6(Rig.v6), other, isGivenUp: true)])
        #expect(!rig.host.addresses.contains(AddressPrefix("2001:db8::2/64")!))
        #expect(rig.give(.solicitation("2001:db8::2")) == .taken)
        #expect(rig.give(.echo6()) == .taken)
        rig.pass(10)
        #expect(rig.host.deadline != nil)
        rig.expectConserved()
    }

    @Test func `neither of two that begin at a time gets the address`() throws {
        var rig = try Rig(isNew: true)
        while rig.count(.duplicateProbe) < 2 { rig.pass(0.1) }
        #expect(rig.give(.solicitation("2001:db8::2", from: "::", option: nil, sender: other)) == .taken)
        #expect(rig.events() == [.duplicate(.v6(Rig.v6), other, isGivenUp: true)])
        rig.expectConserved()
    }

    @Test func `an own solicitation that comes back is no other's`() throws {
        var rig = try Rig(isNew: true)
        for frame in rig.pass(1.5) { rig.give(frame) }
        #expect(rig.events() == [])
        #expect(rig.host.addresses.count == 3)
    }

    @Test func `an address in use is defended against who begins with it`() throws {
        var rig = try Rig()
        let answer = rig.give(.solicitation("2001:db8::2", from: "::", option: nil, sender: other)).answer
        #expect(answer?.destination == MACAddress("33:33:00:00:00:01"))
        let message = answer?.icmp(from: "2001:db8::2", to: "ff02::1") ?? []
        #expect(message[4] == 0x20)
        #expect(rig.counters.conflicts.value == 1)
        #expect(
            rig.give(.advertisement("2001:db8::2", flags: 0x20, option: other, to: "ff02::1", sender: other))
                == .taken)
        #expect(rig.events() == [.duplicate(.v6(Rig.v6), other, isGivenUp: false)])
        #expect(rig.host.addresses.count == 3)
        rig.expectConserved()
    }

    @Test func `an address that is not sure yet is advertised without override`() throws {
        var rig = try Rig(isNew: true)
        let message = rig.give(.solicitation("2001:db8::2")).answer?.icmp(from: "2001:db8::2", to: peer) ?? []
        #expect(message[4] == 0x40)
    }
}
