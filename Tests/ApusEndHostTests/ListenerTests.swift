import ApusEndHost
import ApusWire
import Testing

/// Reports of groups (MLDv2, RFC 3810).
@Suite struct ListenerTests {
    private let group = "ff02::1:ff00:2"

    /// The record types and groups of a report, after all else of it is found right.
    private func records(_ frame: Frame, from source: String) -> [(type: UInt8, group: [UInt8])] {
        let packet = frame.packet
        #expect(frame.destination == MACAddress("33:33:00:00:00:16") && packet[7] == 1)
        // Hop-by-hop options: router alert for MLD (RFC 2711), padding.
        #expect(packet[6] == 0 && Array(packet[40..<48]) == [58, 0, 5, 2, 0, 0, 1, 0])
        let addresses = IPAddress(source)!.octets + IPAddress("ff02::16")!.octets
        #expect(Array(packet[8..<40]) == addresses)
        let message = Array(packet[48...])
        let pseudo = addresses + long(UInt32(message.count)) + [0, 0, 0, 58]
        #expect(checksum(pseudo + message) == [0, 0] && Array(message[..<2]) == [143, 0])
        let count = Int(message[6]) << 8 | Int(message[7])
        #expect(message.count == 8 + 20 * count)
        return (0..<count).map { number in
            let record = message[(8 + 20 * number)..<(28 + 20 * number)]
            #expect(Array(record.dropFirst().prefix(3)) == [0, 0, 0])
            return (record.first!, Array(record.suffix(16)))
        }
    }

    private func isReport(_ frame: Frame) -> Bool { frame.packet.count > 48 && frame.packet[6] == 0 }

    private func query(
        _ code: UInt16, from source: String = "fe80::1", hops: UInt8 = 1, alert: Bool = true, v2: Bool = true
    ) -> Frame {
        let rest = big(code) + [0, 0] + [UInt8](repeating: 0, count: 16) + (v2 ? [2, 1, 0, 0] : [])
        let message = Frame.icmpv6(130, 0, rest, source, "ff02::1")
        return .ipv6(
            alert ? 0 : 58, (alert ? [58, 0, 5, 2, 0, 0, 1, 0] : []) + message, from: source, to: "ff02::1",
            mac: MACAddress("33:33:00:00:00:01")!, hops: hops)
    }

    @Test func `groups are reported before the address is asked for, and anew by it`() throws {
        var rig = try Rig(isNew: true)
        let frames = rig.pass(10)
        let first = try #require(frames.firstIndex { $0.inner.starts(with: [0x86, 0xdd]) })
        #expect(isReport(frames[first]))
        let reports = frames.filter(isReport)
        #expect(reports.count == 3 && rig.count(.listenerReport) == 3)
        // Both addresses have the same group. What came from none is discarded by switches (RFC 3590 section 4).
        for (report, source) in zip(reports, ["::", "fe80::ff:fe00:2", "fe80::ff:fe00:2"]) {
            let found = records(report, from: source)
            #expect(found.map(\.type) == [4] && found.map(\.group) == [IPAddress(group)!.octets])
        }
        rig.host.announce(at: rig.now)
        #expect(rig.pass(10).filter(isReport).count == 3)
    }

    @Test func `an address that is used again is reported anew`() throws {
        for address in ["fe80::ff:fe00:2", "2001:db8::99"] {
            var rig = try Rig(isNew: true) { $0.addresses.append(AddressPrefix("2001:db8::99/64")!) }
            // It is asked for now.
            while !rig.due().contains(where: { $0.packet.suffix(16) == IPAddress(address)!.octets[...] }) {
                rig.now += second / 100
            }
            rig.give(.advertisement(address, flags: 0x20, to: "ff02::1"))
            #expect(rig.events().contains(.duplicate(IPAddress(address)!, Frame.peer, isGivenUp: true)))
            rig.pass(10)
            let before = rig.count(.listenerReport)
            let again = rig.pass(70).filter(isReport)
            #expect(rig.events().contains(.regained(IPAddress(address)!)))
            #expect(again.count == 2 && rig.count(.listenerReport) == before + 2)
            for report in again {
                let found = records(report, from: "fe80::ff:fe00:2")
                #expect(found.map(\.type).allSatisfy { $0 == 4 } && found.count == 2)
            }
        }
    }

    @Test(arguments: [true, false])
    func `a router that asks is answered within its time`(v2: Bool) throws {
        var rig = try Rig()
        for _ in 0..<20 {
            #expect(rig.give(query(1000, v2: v2)) == .taken)
            let due = rig.host.deadline
            let time = try #require(due)
            #expect(time >= rig.now && time <= rig.now + second)
            // Asked again before, it answers once.
            #expect(rig.give(query(5000, v2: v2)) == .taken)
            let frames = rig.pass(1)
            #expect(frames.count == 1)
            let found = frames.first.map { records($0, from: "fe80::ff:fe00:2") } ?? []
            #expect(found.map(\.type) == [2] && found.map(\.group) == [IPAddress(group)!.octets])
            #expect(rig.pass(20) == [])
        }
        rig.expectConserved()
    }

    @Test func `what no router of the link can ask is dropped`() throws {
        var rig = try Rig()
        for wrong in [query(1000, from: "2001:db8::1"), query(1000, hops: 2), query(1000, alert: false)] {
            #expect(rig.give(wrong) == .taken)
        }
        #expect(rig.count(.badQuery) == 3 && rig.pass(20) == [])
        rig.expectConserved()
    }

    @Test func `more groups than a report has room for come in several`() throws {
        var rig = try Rig(isNew: true) {
            $0.addresses = (1...40).map { AddressPrefix("2001:db8::\($0)/64")! }
        }
        let reports = rig.pass(10).filter(isReport)
        #expect(reports.count == 9)
        let found = reports.prefix(3).map { records($0, from: "::").map(\.group) }
        #expect(found.map(\.count) == [16, 16, 8] && Set(found.joined()).count == 40)
        #expect(rig.give(query(0)) == .taken)
        #expect(rig.due().count == 3 && rig.due() == [])
    }

    @Test func `without IPv6 there are none`() throws {
        var rig = try Rig(isNew: true) {
            $0.mtu = 1000; $0.addresses = [AddressPrefix("192.0.2.2/24")!]
        }
        #expect(rig.pass(60).allSatisfy { $0.inner.starts(with: [8, 6]) })
        rig.host.announce(at: rig.now)
        #expect(rig.pass(60).allSatisfy { $0.inner.starts(with: [8, 6]) } && rig.host.deadline == nil)
        #expect(rig.count(.listenerReport) == 0)
    }
}
