import ApusEndHost
import ApusWire
import Testing

@Suite struct EchoTests {
    @Test(arguments: [0, 1, 18, 56, 1400, 1472])
    func `an echo request is answered with its data`(length: Int) throws {
        var rig = try Rig()
        let data = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let answer = rig.give(.echo(data, tags: [0x6005], tos: 0xb9)).answer
        #expect(answer?.destination == Frame.peer && answer?.source == Rig.mac && answer?.tags == [0x6005])
        let message = answer?.icmp(from: "192.0.2.2", to: "192.0.2.1") ?? []
        #expect(message.prefix(2) == [0, 0] && Array(message[4...]) == [0x12, 0x34, 0, 7] + data)
        #expect(answer?.packet[1] == 0xb8)
        let count = answer?.octets.count ?? 0
        #expect(count == max(60, 18 + 28 + length))
        // Nothing of what was in the buffer goes out.
        #expect(answer?.octets.dropFirst(18 + 28 + length).allSatisfy { $0 == 0 } == true)
    }

    @Test(arguments: [0, 1, 56, 1400, 1452])
    func `an ICMPv6 echo request is answered with its data`(length: Int) throws {
        var rig = try Rig()
        let data = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let answer = rig.give(.echo6(data)).answer
        let message = answer?.icmp(from: "2001:db8::2", to: "2001:db8::1") ?? []
        #expect(message.prefix(2) == [129, 0] && Array(message[4...]) == [0x12, 0x34, 0, 7] + data)
        let own = rig.give(.echo6(data, from: "fe80::1", to: "fe80::ff:fe00:2")).answer
        #expect(own?.icmp(from: "fe80::ff:fe00:2", to: "fe80::1").first == 129)
        rig.expectConserved()
    }

    @Test func `all nodes answer from an address of their own`() throws {
        var rig = try Rig()
        let all = MACAddress("33:33:00:00:00:01")!
        let answer = rig.give(.echo6(from: "fe80::1", to: "ff02::1", mac: all)).answer
        #expect(answer?.icmp(from: "fe80::ff:fe00:2", to: "fe80::1").first == 129)
        let wide = rig.give(.echo6(from: "2001:db8::1", to: "ff02::1:ff00:2", mac: all)).answer
        #expect(wide?.icmp(from: "2001:db8::2", to: "2001:db8::1").first == 129)
        #expect(
            rig.give(.echo6(from: "fe80::1", to: "ff02::2", mac: MACAddress("33:33:00:00:00:02")!)) == .taken)
        #expect(rig.count(.otherDestination) == 1)
    }

    @Test func `IPv4 groups, other addresses and damaged requests are not answered`() throws {
        var rig = try Rig()
        for to in ["224.0.0.1", "255.255.255.255", "192.0.2.255"] {
            #expect(rig.give(.echo(to: to, mac: .broadcast)) == .taken)
        }
        #expect(rig.count(.groupEcho) == 3)
        #expect(rig.give(.echo(to: "192.0.2.3")) == .taken)
        #expect(rig.count(.otherDestination) == 1)
        #expect(rig.give(.echo(mac: .broadcast)) == .taken)
        #expect(rig.give(.echo6(mac: .broadcast)) == .taken)
        #expect(rig.count(.groupFrame) == 2)
        for from in ["224.0.0.1", "127.0.0.1", "0.0.0.0", "192.0.2.255", "192.0.2.2"] {
            #expect(rig.give(.echo(from: from)) == .taken)
        }
        #expect(rig.give(.echo6(from: "ff02::5")) == .taken)
        #expect(rig.give(.echo6(from: "::")) == .taken)
        #expect(rig.count(.badSource) == 7)
        #expect(rig.give(.echo(fragment: 0x2000)) == .taken)
        #expect(rig.count(.fragment) == 1)
        for frame in [Frame.echo(), .echo6()] {
            var damaged = frame
            damaged.octets[damaged.octets.count - 1] ^= 1
            #expect(rig.give(damaged) == .taken)
        }
        #expect(rig.counters.parseFailures[Int(ParseFailure.badICMPChecksum.rawValue)].value == 2)
        #expect(rig.give(.echo(mac: MACAddress("02:00:00:00:00:07")!)) == .notMine)
        rig.expectConserved()
    }

    @Test func `data that is none of its business is given back untouched`() throws {
        var rig = try Rig()
        #expect(rig.give(.ipv4(17, Frame.udp())) == .notMine)
        #expect(rig.give(.ipv6(17, Frame.udp())) == .notMine)
        #expect(rig.give(.ipv4(6, Frame.udp())) == .notMine)
        #expect(rig.give(Frame([])) == .notMine)
        #expect(rig.counters.received.value == 0)
    }

    @Test func `an answer that is too long, or has no room, is not sent`() throws {
        var rig = try Rig { $0.mtu = 1300 }
        #expect(rig.give(.echo([UInt8](repeating: 0, count: 1273))) == .taken)
        #expect(rig.give(.echo6([UInt8](repeating: 0, count: 1253))) == .taken)
        #expect(rig.count(.tooLong) == 2)
        for room in [0, 13, 14, 33, 41, 59] { #expect(rig.give(.echo(), room: room) == .taken) }
        for room in [0, 13, 53, 61] { #expect(rig.give(.echo6(), room: room) == .taken) }
        for room in [0, 14, 41, 59] {
            #expect(rig.give(.arp(1, "192.0.2.1", "192.0.2.2"), room: room) == .taken)
        }
        for room in [0, 14, 53, 85] { #expect(rig.give(.solicitation("2001:db8::2"), room: room) == .taken) }
        #expect(rig.count(.noRoom) == 18)
        rig.expectConserved()
    }

    @Test func `a flood of echo requests is answered up to the limit`() throws {
        var rig = try Rig { $0.echoLimit = RateLimit(perSecond: 10, burst: 5) }
        var answers = 0
        for _ in 0..<1000 {
            if rig.give(.echo()).answer != nil { answers += 1 }
            rig.now += second / 1000
        }
        #expect((14...15).contains(answers))
        #expect(rig.count(.rateLimited) == UInt64(1000 - answers))
        rig.expectConserved()
    }
}
