import ApusWire
import Testing

@Suite struct PrefixTests {
    @Test func `a prefix is read and written as others do`() {
        for text in ["192.0.2.1/24", "0.0.0.0/0", "255.255.255.255/32", "2001:db8::1/64", "::/0", "::1/128"] {
            #expect(AddressPrefix(text)?.description == text)
        }
        for text in [
            "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/+4", "192.0.2.1/-1", "2001:db8::/129",
            "/24", "192.0.2.1/24/24", "192.0.2/24", "192.0.2.1/²",
        ] {
            #expect(AddressPrefix(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("192.0.2.77/24", "192.0.2.0", "192.0.2.255"), ("192.0.2.77/32", "192.0.2.77", nil),
        ("192.0.2.77/31", "192.0.2.76", nil), ("192.0.2.77/0", "0.0.0.0", "255.255.255.255"),
        ("192.0.2.77/30", "192.0.2.76", "192.0.2.79"), ("2001:db8:1:2:3::9/64", "2001:db8:1:2::", nil),
        ("2001:db8:1:2:3::9/48", "2001:db8:1::", nil), ("2001:db8::ffff/112", "2001:db8::", nil),
        ("2001:db8::9/128", "2001:db8::9", nil), ("2001:db8::9/0", "::", nil),
    ])
    func `a network has an end`(text: String, network: String, broadcast: String?) throws {
        let prefix = try #require(AddressPrefix(text))
        #expect(prefix.network.address == IPAddress(network))
        #expect(prefix.broadcast == broadcast.flatMap { IPAddress($0) })
        #expect(prefix.isNetwork == (IPAddress(network) == prefix.address))
        #expect(prefix.contains(prefix.network.address) && prefix.contains(prefix.address))
    }

    @Test func `what lies outside is not in a network`() {
        let prefix = AddressPrefix("192.0.2.77/25")!
        #expect(prefix.contains(IPAddress("192.0.2.0")!) && prefix.contains(IPAddress("192.0.2.127")!))
        #expect(!prefix.contains(IPAddress("192.0.2.128")!) && !prefix.contains(IPAddress("192.0.1.77")!))
        #expect(
            !AddressPrefix("0.0.0.0/0")!.contains(.v6(.any)) && !AddressPrefix("::/0")!.contains(.v4(.any)))
        let long = AddressPrefix("2001:db8::8000:0:0:0/65")!
        #expect(long.contains(IPAddress("2001:db8::ffff:0:0:1")!))
        #expect(!long.contains(IPAddress("2001:db8::7fff:0:0:1")!))
    }

    @Test func `addresses made of others`() {
        // RFC 2464 section 4's example.
        #expect(
            IPv6Address(linkLocalOf: MACAddress("34:56:78:9a:bc:de")!)
                == IPv6Address("fe80::3656:78ff:fe9a:bcde"))
        #expect(
            MACAddress(multicast: .v6(IPv6Address("ff02::1:ff9a:bcde")!)) == MACAddress("33:33:ff:9a:bc:de"))
        #expect(MACAddress(multicast: .v4(IPv4Address("239.255.1.2")!)) == MACAddress("01:00:5e:7f:01:02"))
        #expect(IPv6Address.allNodes == IPv6Address("ff02::1"))
    }
}
