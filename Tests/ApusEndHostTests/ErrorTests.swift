import ApusEndHost
import ApusWire
import Testing

@Suite struct ErrorTests {
    @Test func `nobody has the port: said with the packet that asked`() throws {
        var rig = try Rig()
        let asked = Frame.ipv4(17, Frame.udp(), tags: [5])
        let frame = rig.error(.portUnreachable, about: asked)
        let message = frame?.icmp(from: "192.0.2.2", to: "192.0.2.1") ?? []
        #expect(message.prefix(2) == [3, 3] && Array(message[4...]) == [0, 0, 0, 0] + asked.packet)
        #expect(frame?.destination == Frame.peer && frame?.tags == [5])

        let asked6 = Frame.ipv6(17, Frame.udp())
        let message6 =
            rig.error(.portUnreachable, about: asked6)?.icmp(from: "2001:db8::2", to: "2001:db8::1") ?? []
        #expect(message6.prefix(2) == [1, 4] && Array(message6[4...]) == [0, 0, 0, 0] + asked6.packet)
        #expect(rig.count(.error) == 2)
    }

    @Test func `what is too long, late or without a way is told with its beginning`() throws {
        var rig = try Rig { $0.gatewayIPv4 = IPv4Address("192.0.2.254") }
        let long = Frame.ipv4(17, Frame.udp(1400), from: "203.0.113.5", to: "198.51.100.1")
        let message =
            rig.error(.tooBig(mtu: 1300), about: long)?.icmp(from: "192.0.2.2", to: "203.0.113.5") ?? []
        #expect(message.prefix(2) == [3, 4] && Array(message[4..<8]) == [0, 0, 5, 20])
        #expect(message.count == 576 - 20 && Array(message[8...]) == Array(long.packet[..<548]))

        let long6 = Frame.ipv6(17, Frame.udp(1400), to: "2001:db8:5::1")
        let message6 =
            rig.error(.tooBig(mtu: 1000), about: long6)?.icmp(from: "2001:db8::2", to: "2001:db8::1") ?? []
        #expect(message6.prefix(2) == [2, 0] && Array(message6[4..<8]) == [0, 0, 5, 0])
        #expect(message6.count == 1280 - 40 && Array(message6[8...]) == Array(long6.packet[..<1232]))

        for (reason, start, start6) in [
            (ICMPErrorReason.timeExceeded, [UInt8(11), 0], [UInt8(3), 0]),
            (.hostUnreachable, [3, 1], [1, 3]),
        ] {
            #expect(
                rig.error(reason, about: long)?.icmp(from: "192.0.2.2", to: "203.0.113.5").starts(with: start)
                    == true)
            #expect(
                rig.error(reason, about: long6)?.icmp(from: "2001:db8::2", to: "2001:db8::1").starts(
                    with: start6) == true)
        }
        rig.expectConserved()
    }

    @Test func `there is no error about errors, groups, fragments or nobody`() throws {
        var rig = try Rig()
        let quoted = Frame.ipv4(17, Frame.udp(), from: "192.0.2.2", to: "192.0.2.1").packet
        let quoted6 = Frame.ipv6(17, Frame.udp(), from: "2001:db8::2", to: "2001:db8::1").packet
        let peer = "2001:db8::1", own = "2001:db8::2"
        let about: [(ICMPErrorRefusal, [Frame])] = [
            (
                .aboutError,
                [
                    .ipv4(1, Frame.icmp(3, 3, [0, 0, 0, 0] + quoted)),
                    .ipv4(1, Frame.icmp(5, 0, [0, 0, 0, 0])),
                    .ipv4(1, []), .ipv6(58, Frame.icmpv6(1, 4, [0, 0, 0, 0] + quoted6, peer, own)),
                    .ipv6(58, Frame.icmpv6(137, 0, [UInt8](repeating: 0, count: 36), peer, own)),
                    .ipv6(58, []),
                ]
            ),
            (
                .aboutGroup,
                [
                    .ipv4(17, Frame.udp(), to: "224.0.0.9"), .ipv4(17, Frame.udp(), to: "192.0.2.255"),
                    .ipv4(17, Frame.udp(), mac: .broadcast), .ipv6(17, Frame.udp(), to: "ff02::1"),
                    .ipv6(17, Frame.udp(), mac: .broadcast),
                ]
            ),
            (
                .aboutFragment,
                [.ipv4(17, Frame.udp(), fragment: 5), .ipv6(44, [17, 0, 0, 8, 0, 0, 0, 1] + Frame.udp())]
            ),
            (
                .badSource,
                [
                    .ipv4(17, Frame.udp(), from: "0.0.0.0"), .ipv4(17, Frame.udp(), from: "224.0.0.1"),
                    .ipv4(17, Frame.udp(), from: "192.0.2.255"), .ipv4(17, Frame.udp(), from: "127.0.0.1"),
                    .ipv6(17, Frame.udp(), from: "::"), .ipv6(17, Frame.udp(), from: "ff02::1"),
                    .ipv4(17, Frame.udp(), sender: .broadcast), .ipv4(17, Frame.udp(), from: "192.0.2.2"),
                ]
            ),
            (
                .otherDestination,
                [.ipv4(17, Frame.udp(), to: "192.0.2.7"), .ipv6(17, Frame.udp(), to: "2001:db8::7")]
            ),
            (.unreadable, [.arp(1, "192.0.2.1", "192.0.2.2"), Frame([])]),
        ]
        for (refusal, frames) in about {
            for frame in frames {
                #expect(rig.error(.portUnreachable, about: frame) == nil, "\(refusal) \(frame)")
            }
            #expect(rig.refused(refusal) == UInt64(frames.count), "\(refusal)")
        }
        #expect(rig.count(.error) == 0)
        for room in [0, 14, 60] {
            #expect(rig.error(.portUnreachable, about: .ipv4(17, Frame.udp()), room: room) == nil)
            #expect(rig.error(.portUnreachable, about: .ipv6(17, Frame.udp()), room: room) == nil)
        }
        #expect(rig.refused(.noRoom) == 6)
        // A path MTU is found for groups too, and the first fragment says as much as a whole packet.
        #expect(rig.error(.tooBig(mtu: 1280), about: .ipv6(17, Frame.udp(), to: "ff0e::1")) != nil)
        #expect(rig.error(.timeExceeded, about: .ipv4(17, Frame.udp(), fragment: 0x2000)) != nil)
        #expect(rig.error(.timeExceeded, about: .echo()) != nil)
        rig.expectConserved()
    }

    @Test func `errors are limited`() throws {
        var rig = try Rig { $0.errorLimit = RateLimit(perSecond: 2, burst: 3) }
        let frames = (0..<20).map { _ in rig.error(.portUnreachable, about: .ipv4(17, Frame.udp())) }
        #expect(frames.filter { $0 != nil }.count == 3 && rig.refused(.rateLimited) == 17)
        rig.now += second
        #expect(rig.error(.portUnreachable, about: .ipv4(17, Frame.udp())) != nil)
        #expect(rig.error(.portUnreachable, about: .ipv4(17, Frame.udp())) != nil)
        #expect(rig.error(.portUnreachable, about: .ipv4(17, Frame.udp())) == nil)
        var none = try Rig { $0.errorLimit = RateLimit(perSecond: 0, burst: 9) }
        #expect(none.error(.portUnreachable, about: .ipv4(17, Frame.udp())) == nil)
    }

    private func error(_ type: UInt8, _ code: UInt8, mtu: UInt16 = 0, _ quoted: [UInt8]) -> Frame {
        .ipv4(1, Frame.icmp(type, code, [0, 0] + big(mtu) + quoted), from: "198.51.100.1")
    }

    private func error6(_ type: UInt8, _ code: UInt8, mtu: UInt32 = 0, _ quoted: [UInt8]) -> Frame {
        let router = "2001:db8:7::1"
        return .ipv6(
            58, Frame.icmpv6(type, code, long(mtu) + quoted, router, "2001:db8::2"), from: router, hops: 60)
    }

    @Test func `what a router says of a packet of ours is told`() throws {
        var rig = try Rig()
        // Cut after the ports, as old routers do.
        let sent = Array(Frame.ipv4(17, Frame.udp(1400), from: "192.0.2.2", to: "203.0.113.9").packet[..<28])
        let sent6 = Array(
            Frame.ipv6(17, Frame.udp(1400), from: "2001:db8::2", to: "2001:db8:9::9").packet[..<1000])
        let told: [(Frame, PathReport.Cause)] = [
            (error(3, 4, mtu: 1300, sent), .tooBig(mtu: 1300)), (error(3, 4, sent), .tooBig(mtu: 1006)),
            (error(3, 4, mtu: 100, sent), .tooBig(mtu: 552)), (error(3, 3, sent), .unreachable(code: 3)),
            (error(11, 0, sent), .timeExceeded(code: 0)),
            (error6(2, 0, mtu: 1300, sent6), .tooBig(mtu: 1300)),
            (error6(1, 4, sent6), .unreachable(code: 4)), (error6(3, 1, sent6), .timeExceeded(code: 1)),
        ]
        for (frame, cause) in told {
            guard case .path(let report) = rig.give(frame) else {
                Issue.record("nothing told of \(cause)")
                continue
            }
            #expect(report.cause == cause)
            #expect(report.packet.ports?.source == 4000 && report.packet.ports?.destination == 5004)
            #expect(report.packet.protocolNumber == .udp)
            let is6 = report.router == IPAddress("2001:db8:7::1")!
            #expect(report.packet.source == (is6 ? .v6(Rig.v6) : .v4(Rig.v4)))
            #expect(report.packet.destination == IPAddress(is6 ? "2001:db8:9::9" : "203.0.113.9"))
        }
        #expect(rig.counters.reported.value == 8)
        rig.expectConserved()
    }

    @Test func `what can't be of ours is not believed`() throws {
        var rig = try Rig()
        func packet(_ from: String, _ to: String, _ length: Int = 1400, proto: UInt8 = 17) -> [UInt8] {
            Array(Frame.ipv4(proto, Frame.udp(length), from: from, to: to).packet[..<28])
        }
        let foreign = [
            packet("192.0.2.7", "203.0.113.9"), packet("192.0.2.2", "192.0.2.2"),
            packet("192.0.2.2", "127.0.0.1"),
            packet("192.0.2.2", "203.0.113.9", 2000), packet("192.0.2.2", "203.0.113.9", proto: 1),
        ]
        for quoted in foreign { #expect(rig.give(error(3, 4, mtu: 1300, quoted)) == .taken) }
        #expect(rig.count(.foreignError) == 5)
        let sent = packet("192.0.2.2", "203.0.113.9")
        for mtu in [67, 1428, 1500, 9000] as [UInt16] {
            #expect(rig.give(error(3, 4, mtu: mtu, sent)) == .taken)
        }
        let sent6 = Frame.ipv6(17, Frame.udp(1400), from: "2001:db8::2", to: "2001:db8:9::9").packet
        for mtu in [0, 1279, 1448, 70000] as [UInt32] {
            #expect(rig.give(error6(2, 0, mtu: mtu, sent6)) == .taken)
        }
        #expect(rig.count(.badMTU) == 8)
        #expect(rig.give(error(3, 4, mtu: 1300, Array(sent[..<19]))) == .taken)
        #expect(rig.give(error6(2, 0, mtu: 1300, Array(sent6[..<39]))) == .taken)
        #expect(rig.counters.parseFailures[Int(ParseFailure.truncatedIP.rawValue)].value == 2)
        rig.expectConserved()
    }
}
