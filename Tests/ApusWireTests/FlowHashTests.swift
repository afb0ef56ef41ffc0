import Seeds
import Testing

@testable import ApusWire

@Suite("Flow hashes")
struct FlowHashTests {
    /// "Verifying the RSS hash calculation", Microsoft's documentation of NDIS: the addresses alone, and with the ports.
    @Test(arguments: [
        ("66.9.149.187:2794", "161.142.100.80:1766", UInt32(0x323e_8fc2), UInt32(0x51cc_c178)),
        ("199.92.111.2:14230", "65.69.140.83:4739", 0xd718_262a, 0xc626_b0ea),
        ("24.19.198.95:12898", "12.22.207.184:38024", 0xd2d0_a5de, 0x5c2b_394a),
        ("38.27.205.30:48228", "209.142.163.6:2217", 0x8298_9176, 0xafc7_327f),
        ("153.39.163.191:44251", "202.188.127.2:1303", 0x5d18_09c5, 0x10e8_28a2),
        ("[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x2cc1_8cd5, 0x4020_7d3d),
        ("[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0x0f0c_461c, 0xdde5_1bbf),
        (
            "[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x4b61_e985,
            0x02d1_feef
        ),
    ])
    func `The published values of Toeplitz come out`(
        _ source: String, _ destination: String, _ addresses: UInt32, _ ports: UInt32
    ) throws {
        let (from, to) = (try #require(Endpoint(source)), try #require(Endpoint(destination)))
        #expect(ToeplitzKey.microsoft.hash(from: from.address, to: to.address) == addresses)
        #expect(ToeplitzKey.microsoft.hash(from: from, to: to) == ports)
    }

    private func endpoint(_ isIPv6: Bool, _ random: inout Seeded) -> Endpoint {
        let port = UInt16.random(in: 0 ... .max, using: &random)
        let address: IPAddress =
            isIPv6
            ? .v6(IPv6Address(high: random.next(), low: random.next()))
            : .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: random.next())))
        return Endpoint(address, port: port)
    }

    /// An Ethernet frame with addresses and ports.
    private func frame(
        _ from: Endpoint, _ to: Endpoint, number: UInt8 = 17, tags: Int = 0, options: Int = 0,
        fragment: UInt16 = 0
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 2, count: 12)
        for _ in 0..<tags { bytes += [0x81, 0, 0, 7] }
        let ports = [from.port, to.port].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        switch (from.address, to.address) {
        case (.v4(let one), .v4(let other)):
            bytes += [
                8, 0, UInt8(0x45 + options), 0, 0, 40, 0, 0, UInt8(fragment >> 8), UInt8(fragment & 255),
            ]
            bytes += [64, number, 0, 0]
            for address in [one.bits, other.bits] {
                bytes += (0..<4).map { UInt8(address >> (24 - 8 * $0) & 255) }
            }
            bytes += [UInt8](repeating: 1, count: 4 * options)
        case (.v6(let one), .v6(let other)):
            bytes += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, number, 64]
            for half in [one.high, one.low, other.high, other.low] {
                bytes += (0..<8).map { UInt8(half >> (56 - 8 * $0) & 255) }
            }
        default: preconditionFailure()
        }
        return bytes + ports + [0, 8, 0, 0]
    }

    private func hash(_ bytes: [UInt8]) -> UInt32? { unsafe FlowHash.of(bytes.span.bytes) }

    @Test func `Both directions of a flow have one value, by either hash`() {
        var random = Seeded(1)
        for _ in 0..<5_000 {
            let isIPv6 = Bool.random(using: &random)
            let (one, other) = (endpoint(isIPv6, &random), endpoint(isIPv6, &random))
            let key = ToeplitzKey.symmetric
            #expect(key.hash(from: one, to: other) == key.hash(from: other, to: one))
            #expect(
                key.hash(from: one.address, to: other.address)
                    == key.hash(from: other.address, to: one.address))
            for number in [UInt8(17), 6, 1, 44] {
                let there = hash(frame(one, other, number: number))
                #expect(there != nil && there == hash(frame(other, one, number: number)))
            }
        }
    }

    @Test func `The hash of a frame is that of a card with the symmetric key`() {
        func hash(_ bytes: [UInt8]) -> UInt32? { unsafe ToeplitzKey.symmetricHash(of: bytes.span.bytes) }
        let key = ToeplitzKey.symmetric
        var random = Seeded(3)
        for number in 0..<2_000 {
            let isIPv6 = Bool.random(using: &random)
            let (one, other) = (endpoint(isIPv6, &random), endpoint(isIPv6, &random))
            let options = isIPv6 ? 0 : number % 11
            for kind in [UInt8(17), 6] {
                #expect(
                    hash(frame(one, other, number: kind, tags: number % 3, options: options))
                        == key.hash(from: one, to: other))
            }
            let addresses = key.hash(from: one.address, to: other.address)
            if isIPv6 {
                // Destination options, and a fragment's header.
                var bytes = frame(one, other)
                (bytes[18], bytes[19], bytes[20]) = (0, 16, 60)
                bytes.insert(contentsOf: [17, 0, 1, 4, 0, 0, 0, 0], at: 54)
                #expect(hash(bytes) == key.hash(from: one, to: other))
                (bytes[20], bytes[55], bytes[56], bytes[57]) = (44, 0, 0, 1)
                #expect(hash(bytes) == addresses)
            }
            #expect(hash(frame(one, other, number: 1, tags: number % 3)) == addresses)
            guard !isIPv6 else { continue }
            #expect(hash(frame(one, other, fragment: 0x2000)) == addresses)
            #expect(hash(frame(one, other, fragment: 185)) == addresses)
        }
        let (one, other) = (Endpoint("[2001:db8::1]:7")!, Endpoint("[2001:db8::2]:8")!)
        let full = frame(one, other, tags: 2)
        for count in 0...full.count { _ = hash(Array(full[..<count])) }
        #expect(hash(Array(full[..<61])) == nil)
        #expect(hash([UInt8](repeating: 0x81, count: 60)) == nil)
    }

    @Test func `Tags and options change nothing, and neither do ports where there are none`() {
        var random = Seeded(2)
        for _ in 0..<500 {
            let (one, other) = (endpoint(false, &random), endpoint(false, &random))
            let plain = hash(frame(one, other))
            for tags in 0...2 { #expect(hash(frame(one, other, tags: tags, options: tags)) == plain) }
            #expect(hash(frame(one, other, number: 6)) == plain)
            let further = Endpoint(other.address, port: other.port ^ 1)
            #expect(hash(frame(one, further)) != plain)
            for (number, fragment) in [(UInt8(17), UInt16(0x2000)), (17, 185), (1, 0)] {
                #expect(
                    hash(frame(one, other, number: number, fragment: fragment))
                        == hash(frame(one, further, number: number, fragment: fragment)))
            }
        }
    }

    @Test func `Flows between equal ports are spread, which a symmetric key does not do`() {
        for count in [2, 3, 5, 16] {
            var shares = [Int](repeating: 0, count: count)
            var keyed: Set<UInt32> = []
            for number in 0..<1_600 {
                let port = UInt16(5004 + 2 * number)
                let (from, to) = (Endpoint("10.1.0.1:\(port)")!, Endpoint("10.1.0.2:\(port)")!)
                shares[FlowHash.share(of: hash(frame(from, to))!, among: count)] += 1
                keyed.insert(ToeplitzKey.symmetric.hash(from: from, to: to))
            }
            #expect(keyed.count == 1)
            #expect(shares.allSatisfy { abs($0 - 1_600 / count) < 1_600 / count / 2 }, "\(shares)")
        }
    }

    @Test func `What is cut short anywhere has a value or none, and reads nothing behind its end`() {
        let (one, other) = (Endpoint("[2001:db8::1]:7")!, Endpoint("[2001:db8::2]:8")!)
        let (four, fourth) = (Endpoint("10.0.0.1:7")!, Endpoint("10.0.0.2:8")!)
        for full in [
            frame(one, other, tags: 2), frame(four, fourth, tags: 2, options: 10), frame(four, fourth),
        ] {
            for count in 0...full.count { _ = hash(Array(full[..<count])) }
            #expect(hash(Array(full[..<20])) == nil)
        }
        var random = Seeded(3)
        for _ in 0..<5_000 {
            let count = Int.random(in: 0...80, using: &random)
            _ = hash((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
        #expect(hash([UInt8](repeating: 0, count: 60)) == nil)
    }
}
