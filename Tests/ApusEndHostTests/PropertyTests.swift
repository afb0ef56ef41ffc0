import ApusEndHost
import ApusWire
import Seeds
import Testing

@Suite struct PropertyTests {
    private let addresses = [
        "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.255", "0.0.0.0", "224.0.0.1", "203.0.113.9",
    ]
    private let addresses6 = [
        "2001:db8::1", "2001:db8::2", "2001:db8::3", "fe80::1", "fe80::ff:fe00:2", "::", "ff02::1",
        "ff02::1:ff00:2",
    ]

    private func frame(_ random: inout Seeded) -> Frame {
        func pick<Element>(_ elements: [Element]) -> Element {
            elements[Int(random.next() % UInt64(elements.count))]
        }
        func address() -> String {
            random.next() % 2 == 0 ? pick(addresses) : "192.0.\(2 + random.next() % 2).\(random.next() % 256)"
        }
        func address6() -> String {
            random.next() % 2 == 0 ? pick(addresses6) : "2001:db8::\(String(random.next() % 4096, radix: 16))"
        }
        let mac = pick([
            Frame.peer, Rig.mac, MACAddress(bits: 0x0200_0000_0000 | random.next() % 64), .broadcast,
        ])
        let flags = UInt8(truncatingIfNeeded: random.next()) & 0xe0
        let data = [UInt8](repeating: 1, count: Int(random.next() % 64))
        let (a, b) = (address6(), address6())
        let udp = Frame.udp()
        var frame: Frame =
            switch random.next() % 9 {
            case 0:
                .arp(
                    UInt16(random.next() % 4), mac, address(), Rig.mac, address(),
                    to: pick([Rig.mac, .broadcast]))
            case 1: .solicitation(address6(), from: a, option: pick([nil, mac]), sender: mac)
            case 2: .advertisement(address6(), flags: flags, option: pick([nil, mac]), to: b, sender: mac)
            case 3: .echo(data, from: address(), to: address(), fragment: pick([0, 0, 0, 0x2000, 5]))
            case 4: .echo6(data, from: a, to: b)
            case 5:
                .ipv4(
                    1,
                    Frame.icmp(
                        pick([3, 11, 5]), pick([0, 3, 4]),
                        [0, 0, 4, 0] + Frame.ipv4(17, udp, from: address(), to: address()).packet),
                    from: address(), to: address())
            case 6:
                .ipv6(
                    58,
                    Frame.icmpv6(
                        pick([1, 2, 3]), 0, [0, 0, 5, 20] + Frame.ipv6(17, udp, from: b, to: a).packet, a, b),
                    from: a, to: b)
            case 7: .ipv4(17, udp, from: address(), to: address())
            default: .ipv6(17, udp, from: a, to: b)
            }
        // Half of them damaged: an octet changed, or the end missing.
        switch random.next() % 4 {
        case 0:
            frame.octets[Int(random.next() % UInt64(frame.octets.count))] = UInt8(
                truncatingIfNeeded: random.next())
        case 1: frame.octets.removeLast(Int(random.next() % UInt64(frame.octets.count)))
        default: break
        }
        return frame
    }

    /// As `#expect`, which takes microseconds where it has nothing to say.
    private func check(
        _ isSo: Bool, _ note: @autoclosure () -> String = "", _ location: SourceLocation = #_sourceLocation
    ) {
        if !isSo { Issue.record("not so: \(note())", sourceLocation: location) }
    }

    /// Never a crash; an answer goes to one who asked, from the host; all is counted; and neighbors keep within their bounds.
    @Test(arguments: 0..<20)
    func `whatever comes, the host keeps its rules`(hundred: UInt64) throws {
        for seed in hundred * 100..<hundred * 100 + 100 {
            var random = Seeded(seed)
            var rig = try Rig(isNew: seed % 2 == 0) {
                $0.neighborLimit = 16
                $0.seed = seed
                $0.gatewayIPv4 = IPv4Address("192.0.2.1")
            }
            var questions = 0
            for _ in 0..<60 {
                let given = frame(&random)
                let outcome = rig.give(given)
                if let answer = outcome.answer {
                    check(answer.source == Rig.mac, "seed \(seed): \(given)")
                    check(
                        given.destination == Rig.mac || given.destination.isGroup, "seed \(seed): \(given)")
                    check(given.source != Rig.mac, "seed \(seed): \(given)")
                    check(answer.tags == given.tags && answer.octets.count >= 60, "seed \(seed): \(given)")
                    check(answer.octets.count <= max(94, given.octets.count), "seed \(seed): \(given)")
                }
                if outcome == .notMine, random.next() % 2 == 0 {
                    if let error = rig.error(.portUnreachable, about: given) {
                        check(
                            error.destination == given.source && error.source == Rig.mac,
                            "seed \(seed): \(given)")
                        check(rig.error(.timeExceeded, about: error) == nil, "seed \(seed): \(given)")
                    }
                }
                switch random.next() % 4 {
                case 0:
                    questions += 1
                    _ = rig.resolve("192.0.2.\(1 + random.next() % 250)")
                case 1: _ = rig.resolve("2001:db8::\(1 + random.next() % 250)")
                case 2: rig.now += random.next() % (3 * second)
                default: break
                }
                if random.next() % 2 == 0 { rig.due() }
                if random.next() % 8 == 0 { _ = rig.events() }
                var (all, unresolved) = (0, 0)
                rig.host.forEachNeighbor {
                    all += 1
                    if $0.state == .incomplete { unresolved += 1 }
                    check($0.mac != Rig.mac && $0.mac?.isGroup != true)
                }
                check(all <= 16 && unresolved <= 8, "seed \(seed)")
            }
            rig.expectConserved()
        }
    }
}
