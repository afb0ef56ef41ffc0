import ApusEndHost
import ApusWire
import Testing

@Suite struct ConfigurationTests {
    private func refusal(_ change: (inout EndHostConfiguration) -> Void) -> String? {
        do throws(EndHostError) {
            var configuration = Rig.configuration
            change(&configuration)
            _ = try EndHost(configuration, at: 0)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a link-local address comes from the link-layer address, unless one is given`() throws {
        let rig = try Rig()
        #expect(
            rig.host.addresses.map(\.description) == ["192.0.2.2/24", "2001:db8::2/64", "fe80::ff:fe00:2/64"])
        let other = try Rig { $0.addresses = [AddressPrefix("fe80::7/64")!] }
        #expect(other.host.addresses.map(\.description) == ["fe80::7/64"])
        let small = try Rig {
            $0.mtu = 600
            $0.addresses = [AddressPrefix("192.0.2.2/24")!]
        }
        #expect(small.host.addresses.map(\.description) == ["192.0.2.2/24"])
    }

    @Test func `nonsense is refused with a sentence that names it`() {
        #expect(
            refusal { $0.mac = .broadcast }?.hasPrefix("ff:ff:ff:ff:ff:ff is no link-layer address") == true)
        #expect(refusal { $0.mac = .zero } != nil)
        #expect(refusal { $0.mtu = 67 } == "an MTU of 67 can't be; give 68 to 65535 octets")
        #expect(refusal { $0.mtu = 1279 }?.hasPrefix("an MTU of 1279 is too small for 2001:db8::2") == true)
        for text in [
            "192.0.2.0/24", "192.0.2.255/24", "224.0.0.1/4", "127.0.0.1/8", "0.0.0.0/0", "ff02::1/16",
            "::1/128",
            "2001:db8::/64",
        ] {
            let sentence = refusal { $0.addresses = [AddressPrefix(text)!] }
            #expect(sentence?.hasPrefix("\(text) is no address of a host") == true, "\(text)")
        }
        var long = AddressPrefix("192.0.2.2/24")!
        long.length = 33
        #expect(
            refusal { $0.addresses = [long] }
                == "192.0.2.2/33 has a prefix that is too long: one of 192.0.2.2 has 0 to 32 bits")
        #expect(refusal { $0.routes = [StaticRoute(to: long, by: nil)] }?.contains("too long") == true)
        for text in ["192.0.2.0/31", "192.0.2.255/32", "2001:db8::/127"] {
            #expect(refusal { $0.addresses = [AddressPrefix(text)!] } == nil, "\(text)")
        }
        #expect(
            refusal { $0.addresses.append(AddressPrefix("192.0.2.2/25")!) }
                == "the address 192.0.2.2 is given twice; leave one out")
        #expect(
            refusal { $0.gatewayIPv4 = IPv4Address("198.51.100.1") }
                == "the gateway 198.51.100.1 is in no network of the interface's addresses; give one that is, or add an "
                + "address of its network")
        #expect(
            refusal { $0.gatewayIPv4 = Rig.v4 }?.hasPrefix("the gateway 192.0.2.2 is the interface's own")
                == true)
        #expect(
            refusal { $0.gatewayIPv4 = IPv4Address("192.0.2.255") }?.contains("no address of a host") == true)
        #expect(refusal { $0.gatewayIPv6 = IPv6Address("fe80::1") } == nil)
        let network = AddressPrefix("198.51.100.0/24")!
        #expect(
            refusal { $0.routes = [StaticRoute(to: network, by: IPAddress("fe80::1"))] }
                == "the route to 198.51.100.0/24 can't go by fe80::1, which is of the other IP version; give a router of "
                + "its own")
        #expect(
            refusal { $0.routes = [StaticRoute(to: AddressPrefix("198.51.100.7/24")!, by: nil)] }
                == "the route to 198.51.100.7/24 has bits behind its prefix; did you mean 198.51.100.0/24?")
        #expect(
            refusal { $0.routes = [StaticRoute(to: network, by: nil), StaticRoute(to: network, by: nil)] }
                == "the route to 198.51.100.0/24 is given twice; leave one out")
        #expect(
            refusal {
                $0.addresses.removeFirst()
                $0.routes = [StaticRoute(to: network, by: nil)]
            }?.hasPrefix("the route to 198.51.100.0/24 needs an address") == true)
        #expect(refusal { $0.neighborLimit = 15 } == "a limit of 15 neighbors can't be; give 16 to 65536")
    }

    @Test func `the longest prefix says the next hop, and the next hop the source`() throws {
        let rig = try Rig {
            $0.addresses.append(AddressPrefix("198.51.100.2/25")!)
            $0.gatewayIPv4 = IPv4Address("192.0.2.254")
            $0.gatewayIPv6 = IPv6Address("fe80::1")
            $0.routes = [
                StaticRoute(to: AddressPrefix("10.0.0.0/8")!, by: IPAddress("198.51.100.1")),
                StaticRoute(to: AddressPrefix("10.1.0.0/16")!, by: IPAddress("192.0.2.253")),
                StaticRoute(to: AddressPrefix("10.1.2.0/24")!, by: nil),
                StaticRoute(to: AddressPrefix("2001:db8:1::/48")!, by: IPAddress("2001:db8::1")),
            ]
        }
        func way(_ destination: String) -> String? {
            rig.host.route(to: IPAddress(destination)!).map { "\($0.neighbor) \($0.source)" }
        }
        #expect(way("192.0.2.7") == "192.0.2.7 192.0.2.2")
        #expect(way("198.51.100.7") == "198.51.100.7 198.51.100.2")
        #expect(way("203.0.113.1") == "192.0.2.254 192.0.2.2")
        #expect(way("10.2.0.1") == "198.51.100.1 198.51.100.2")
        #expect(way("10.1.0.1") == "192.0.2.253 192.0.2.2")
        #expect(way("10.1.2.1")?.hasPrefix("10.1.2.1 ") == true)
        #expect(way("2001:db8::9") == "2001:db8::9 2001:db8::2")
        #expect(way("2001:db8:1::9") == "2001:db8::1 2001:db8::2")
        #expect(way("2001:db8:2::9") == "fe80::1 2001:db8::2")
        #expect(way("fe80::9") == "fe80::9 fe80::ff:fe00:2")
        #expect(way("ff02::9") == "ff02::9 fe80::ff:fe00:2")
        #expect(way("ff0e::9") == "ff0e::9 2001:db8::2")
        #expect(way("224.0.0.9")?.hasPrefix("224.0.0.9 ") == true)
    }

    @Test func `without a route there is no way`() throws {
        var rig = try Rig()
        #expect(rig.host.route(to: IPAddress("203.0.113.1")!) == nil)
        #expect(
            rig.host.nextHop(to: IPAddress("203.0.113.1")!, at: rig.now, counters: rig.counters)
                == .unreachable(.noRoute))
        #expect(rig.resolve("203.0.113.1") == .unreachable(.noRoute))
        #expect(rig.resolve("192.0.2.2") == .unreachable(.noRoute))
        #expect(rig.resolve("224.0.0.9") == .ready(MACAddress("01:00:5e:00:00:09")!))
        #expect(rig.resolve("ff02::1:2") == .ready(MACAddress("33:33:00:01:00:02")!))
        #expect(rig.resolve("192.0.2.255") == .ready(.broadcast))
    }
}
