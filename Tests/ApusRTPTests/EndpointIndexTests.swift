import ApusWire
import Seeds
import Testing

@testable import ApusRTP

@Suite("The index of endpoints") struct EndpointIndexTests {
    private static func endpoint(_ random: inout Seeded) -> Endpoint {
        let port = UInt16(random.below(4) == 0 ? 5004 : random.below(0x10000))
        if random.below(2) == 0 {
            return Endpoint(.v4(IPv4Address(bits: 0xc000_0200 | UInt32(random.below(4096)))), port: port)
        }
        return Endpoint(
            .v6(
                IPv6Address(
                    high: 0x2001_0db8_0000_0000 | UInt64(random.below(64)), low: UInt64(random.below(99)))),
            port: port)
    }

    private static func look(_ index: borrowing EndpointIndex, _ endpoint: Endpoint) -> Int {
        switch endpoint.address {
        case .v4(let address):
            index.number(high: 0, low: UInt64(address.bits), port: endpoint.port, isIPv6: false)
        case .v6(let address):
            index.number(high: address.high, low: address.low, port: endpoint.port, isIPv6: true)
        }
    }

    @Test func `it finds what a dictionary finds, and nothing else`() {
        for seed in 0..<3 {
            var random = Seeded(UInt64(seed))
            var dictionary: [Endpoint: Int] = [:]
            while dictionary.count < 10_000 { dictionary[Self.endpoint(&random)] = dictionary.count }
            let index = EndpointIndex(dictionary.map { ($0.key, $0.value) })
            #expect(index.maximumProbes <= EndpointIndex.aimedProbes)
            for (endpoint, number) in dictionary { #expect(Self.look(index, endpoint) == number) }
            for _ in 0..<20_000 {
                let endpoint = Self.endpoint(&random)
                #expect(Self.look(index, endpoint) == dictionary[endpoint] ?? -1)
            }
        }
    }

    @Test func `an empty one finds nothing`() {
        let index = EndpointIndex([])
        #expect(Self.look(index, Traffic.v4) == -1)
        #expect(index.number(high: 0, low: 0, port: 0, isIPv6: false) == -1)
    }

    @Test func `an address of either family with the same bits is another one`() {
        let index = EndpointIndex([(Endpoint("0.0.0.5:5004")!, 1), (Endpoint("[::]:5004")!, 2)])
        #expect(index.number(high: 0, low: 5, port: 5004, isIPv6: false) == 1)
        #expect(index.number(high: 0, low: 5, port: 5004, isIPv6: true) == -1)
        #expect(index.number(high: 0, low: 0, port: 5004, isIPv6: true) == 2)
        #expect(index.number(high: 0, low: 0, port: 5004, isIPv6: false) == -1)
    }

    @Test func `many entries of one endpoint end, and the first is found`() {
        let index = EndpointIndex((0..<1000).map { (Traffic.v4, $0) })
        #expect(Self.look(index, Traffic.v4) == 0)
        #expect(index.maximumProbes == 1)
    }

    @Test func `ports that make up for subnets do not meet in one place`() {
        // The difference of the port is that of the address: a sum or exclusive or of the two is always the same.
        var contents: [(endpoint: Endpoint, number: Int)] = []
        for subnet in 0..<2000 as Range<UInt64> {
            let address = IPv6Address(high: 0x2001_0db8_0000_0000 | subnet, low: 1)
            contents.append((Endpoint(.v6(address), port: UInt16(subnet ^ 5004)), contents.count))
            let host = IPv6Address(high: 0x2001_0db8_ffff_0000, low: subnet)
            contents.append((Endpoint(.v6(host), port: UInt16(subnet ^ 5004)), contents.count))
        }
        let index = EndpointIndex(contents)
        #expect(index.maximumProbes <= EndpointIndex.aimedProbes)
        for (endpoint, number) in contents { #expect(Self.look(index, endpoint) == number) }
    }

    @Test func `sets with a pattern are found in few probes`() {
        let patterns: [(Int) -> Endpoint] = [
            { Endpoint(.v4(IPv4Address(bits: 0xc000_0201)), port: UInt16(1024 + $0)) },
            { Endpoint(.v4(IPv4Address(bits: 0x0a00_0000 + UInt32($0) << 8)), port: 5004) },
            { Endpoint(.v6(IPv6Address(high: UInt64($0) << 32, low: UInt64($0) << 32)), port: 5004) },
            { Endpoint(.v6(IPv6Address(high: UInt64($0), low: ~UInt64($0))), port: UInt16($0)) },
        ]
        for pattern in patterns {
            let contents = (0..<20_000).map { (endpoint: pattern($0), number: $0) }
            let index = EndpointIndex(contents)
            #expect(index.maximumProbes <= EndpointIndex.aimedProbes)
            for (endpoint, number) in contents { #expect(Self.look(index, endpoint) == number) }
        }
    }
}
