import ApusConfig
import ApusWire
import Testing

/// Interfaces over DPDK: what is said of them, and what is refused in which words.
@Suite struct DPDKConfigurationTests {
    private static func stream(_ interface: String, listen: String = "192.0.2.1:5004") -> String {
        "{ streams: [{ listen: '\(listen)', to: ['198.51.100.7:5004'] }],\ninterfaces: [{ \(interface) }] }"
    }

    @Test func `each key is read`() throws {
        let read = try forwarder(
            """
            {
              defaults: { backend: "packet", ringSize: 512, mode: "auto" },
              interfaces: [
                { name: "eth0", backend: "xdp" },
                { name: "03:00.0,llq=1", addresses: ["192.0.2.1/24", "2001:db8::1/64"],
                  gateway: ["192.0.2.254", "fe80::1"], routes: [{ to: "10.0.0.0/8", via: "192.0.2.253" }],
                  mtu: 9000, mac: "02:00:00:00:00:01", promiscuous: true, queues: 2, ringSize: 1024 },
                { name: "net_tap0,iface=tap0", backend: "dpdk", addresses: ["198.51.100.1/24"], gateway: "198.51.100.2" },
              ],
              dpdk: { hugepages: true, memory: 512, hugepageDirectory: "/dev/hugepages", filePrefix: "a-b_9",
                      mainCore: 3, allow: ["0000:04:00.0"], block: ["05:00.0"], vdevs: ["net_null7", "crypto_null0"],
                      extra: ["--iova-mode", "va"] },
              streams: [{ listen: "192.0.2.1:5004", to: ["198.51.100.7:5004"], interface: "03:00.0" }],
            }
            """)
        let card = DPDKPortConfiguration(
            device: .pci(PCIAddress("0000:03:00.0")!, arguments: "llq=1"),
            addresses: [AddressPrefix("192.0.2.1/24")!, AddressPrefix("2001:db8::1/64")!],
            gateways: [IPAddress("192.0.2.254")!, IPAddress("fe80::1")!],
            routes: [RouteConfiguration(to: AddressPrefix("10.0.0.0/8")!, via: IPAddress("192.0.2.253")!)],
            mtu: 9000, mac: MACAddress("02:00:00:00:00:01"), promiscuous: true)
        let tap = DPDKPortConfiguration(
            device: try DPDKDevice("net_tap0,iface=tap0"), addresses: [AddressPrefix("198.51.100.1/24")!],
            gateways: [IPAddress("198.51.100.2")!])
        var built = ForwarderConfiguration(
            streams: [
                StreamConfiguration(
                    listen: Endpoint("192.0.2.1:5004")!, to: [Endpoint("198.51.100.7:5004")!],
                    interface: "0000:03:00.0")
            ],
            interfaces: [
                InterfaceConfiguration(name: "eth0", port: PortConfiguration(backend: .xdp, ringSize: 512)),
                InterfaceConfiguration(card, port: PortConfiguration(queues: 2, ringSize: 1024)),
                InterfaceConfiguration(tap, port: PortConfiguration(ringSize: 512)),
            ],
            defaults: PortConfiguration(backend: .packet, ringSize: 512))
        built.dpdk = DPDKConfiguration(
            memory: 512, hugepageDirectory: "/dev/hugepages", filePrefix: "a-b_9", mainCore: 3,
            allow: ["0000:04:00.0"], block: ["05:00.0"], vdevs: ["net_null7", "crypto_null0"],
            extra: ["--iova-mode", "va"])
        #expect(read == built)
        #expect(read.interfaces.map(\.name) == ["eth0", "0000:03:00.0", "net_tap0"])
        #expect(read.interfaces.map(\.port.backend) == [.xdp, .dpdk, .dpdk])
        try built.validate()
    }

    @Test(arguments: [
        (
            "name: '0000:03:00.0'",
            "2:14: \"addresses\" is missing: expected those that the host has on \"0000:03:00.0\", which the kernel does not have, such as addresses: [\"192.0.2.1/24\"]"
        ),
        (
            "name: 'net_null0', addresses: []",
            "2:46: the interface has no address; add one, such as \"192.0.2.1/24\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1']",
            "2:47: expected an address and its prefix, such as \"192.0.2.1/24\", found \"192.0.2.1\"; how long is its prefix? \"192.0.2.1/24\" is usual"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/99']",
            "2:47: expected an address and its prefix, such as \"192.0.2.1/24\", found \"192.0.2.1/99\"; a prefix of it has 0 to 32 bits"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/0']",
            "2:47: a prefix of 0 bits would make a neighbor of everybody; write that of the network"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.0/24']",
            "2:47: 192.0.2.0 is the network 192.0.2.0/24 itself; give an address of a host in it"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.255/24']",
            "2:47: 192.0.2.255 is the broadcast address of 192.0.2.0/24; give one of a host"
        ),
        (
            "name: 'net_null0', addresses: ['239.1.2.3/24']",
            "2:47: 239.1.2.3 is no address that a host can have on a link"
        ),
        (
            "name: 'net_null0', addresses: ['127.0.0.1/8']",
            "2:47: 127.0.0.1 is no address that a host can have on a link"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24', '192.0.2.1/25']",
            "2:63: 192.0.2.1 is there twice|2:47: the first is here"
        ),
        (
            "name: 'net_null0', address: ['192.0.2.1/24']",
            "2:14: \"addresses\" is missing: expected those that the host has on \"net_null0\", which the kernel does not have, such as addresses: [\"192.0.2.1/24\"]|2:35: unknown key \"address\"; did you mean \"addresses\"?"
        ),
        (
            "name: 'net_nul0', addresses: ['192.0.2.1/24']",
            "2:22: DPDK has no driver for the virtual device \"net_nul0\"; did you mean \"net_null0\"?"
        ),
        (
            "name: 'eth0', backend: 'dpdk', addresses: ['192.0.2.1/24']",
            "2:22: expected a PCI address, such as \"0000:03:00.0\", or a virtual device, such as \"net_tap0,iface=tap0\", found \"eth0\"; `apus doctor` shows the addresses of network cards"
        ),
        (
            "name: 'eth0', addresses: ['192.0.2.1/24']",
            "2:41: \"addresses\" is for an interface that DPDK takes from the kernel, and the kernel has the addresses of eth0: `ip address add` gives it one; leave it out"
        ),
        (
            "name: 'eth0', gateway: '192.0.2.1', mtu: 1500",
            "2:39: \"gateway\" is for an interface that DPDK takes from the kernel, and the kernel has the routes of eth0: `ip route add` adds one; leave it out|2:57: \"mtu\" is for an interface that DPDK takes from the kernel, and the kernel has the MTU of eth0: `ip link set dev eth0 mtu N` sets it; leave it out"
        ),
        (
            "name: '0000:03:00.0', backend: 'xdp', addresses: ['192.0.2.1/24']",
            "2:22: \"0000:03:00.0\" is a device on PCI, which only DPDK opens; write backend: \"dpdk\", or the kernel's name of the interface|2:47: the backend is chosen here"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '10.0.0.1'",
            "2:73: the router 10.0.0.1 is on none of the interface's networks, which are 192.0.2.0/24; it has to be a neighbor"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '2001:db8::1'",
            "2:73: the interface has no IPv6 address to reach 2001:db8::1 from; add one"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '192.0.2.1'",
            "2:73: 192.0.2.1 is the interface's own address; give that of the router"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '192.0.2.255'",
            "2:73: 192.0.2.255 is the broadcast address of 192.0.2.0/24; give the router's"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '192.0.2.254/24'",
            "2:73: expected an address, such as \"192.0.2.254\", found \"192.0.2.254/24\"; without a prefix it is \"192.0.2.254\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: ['192.0.2.2', '192.0.2.3']",
            "2:87: there are two gateways for IPv4, 192.0.2.2 and 192.0.2.3; write a route for what goes by one of them|2:74: the first is here"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], routes: [{ to: '10.1.2.3/8', via: '192.0.2.2' }]",
            "2:79: 10.1.2.3/8 is an address in a network; did you mean the network \"10.0.0.0/8\"?"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], routes: [{ to: '2001:db8::/32', via: '192.0.2.2' }]",
            "2:101: the way to 2001:db8::/32 is by a router of the same IP version, and 192.0.2.2 is of the other"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], gateway: '192.0.2.2', routes: [{ to: '0.0.0.0/0', via: '192.0.2.3' }]",
            "2:101: 0.0.0.0/0 is what the gateway 192.0.2.2 is for; leave one of them out|2:73: the gateway is here"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], routes: [{ to: '10.0.0.0/8' }]",
            "2:73: \"via\" is missing: expected an address, such as \"192.0.2.254\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], mtu: 67",
            "2:69: expected an MTU from 68 to 65535, found 67"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24', '2001:db8::1/64'], mtu: 1000",
            "2:87: IPv6 needs an MTU of 1280 bytes (RFC 8200 section 5), found 1000; write more, or no IPv6 address"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], mac: '01:00:5e:00:00:01'",
            "2:69: 01:00:5e:00:00:01 is no address that an interface can have; the lowest bit of its first octet is for groups"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], mac: 'x'",
            "2:69: expected a link-layer address, such as \"02:00:00:00:00:01\", found \"x\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], promiscuous: 'on'",
            "2:77: expected true or false, found \"on\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], mode: 'native'",
            "2:70: mode: \"native\" is a matter of AF_XDP, and not of DPDK; leave it out"
        ),
        (
            "name: 'net_null0', backend: 'dpdk', addresses: ['192.0.2.1/24'], hugepages: 'require'",
            "2:92: all interfaces over DPDK have one memory, and \"dpdk.hugepages\" says whether it is in huge pages; leave it out|2:44: the backend is chosen here"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], zeroCopy: 'require'",
            "2:74: zero-copy is a matter of AF_XDP; whether a driver of DPDK has it is its own; leave it out"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], busyPoll: {}",
            "2:74: busy polling is a matter of AF_XDP, and a driver of DPDK always polls; leave it out"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], ringSize: 65536",
            "2:74: expected a power of two, the descriptors of a ring of DPDK, from 64 to 32768, found 65536"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'], ringSize: 64, frames: 639",
            "2:86: expected at least 640 frames for each queue, as 64 are kept ready to receive and as many may wait to be sent, and 512 are kept at hand over DPDK, found 639"
        ),
        (
            "name: 'net_tap0,iface=sixteen_octets_x', addresses: ['192.0.2.1/24']",
            "2:22: an interface has a name of at most 15 octets, found \"sixteen_octets_x\""
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'] }, { name: 'net_null0,size=9', addresses: ['192.0.2.2/24']",
            "2:74: the interface \"net_null0\" is listed twice|2:22: it is listed here first"
        ),
        (
            "name: 'net_tap0,iface=t', addresses: ['192.0.2.1/24'] }, { name: 'net_af_xdp1,iface=t', addresses: ['192.0.2.2/24']",
            "2:81: two devices have the interface \"t\"|2:22: this one has it too"
        ),
        (
            "name: 'net_null0', addresses: ['192.0.2.1/24'] }, { name: 'net_null1', addresses: ['192.0.2.1/24']",
            "2:99: 192.0.2.1 is an address of net_null0 already; give net_null1 another|2:47: it is given here first"
        ),
    ])
    func `what is said of an interface over DPDK is checked`(interface: String, messages: String) {
        Rule.expect(Self.stream(interface), messages.split(separator: "|").map(String.init))
    }

    @Test(arguments: [
        ("memory: 15", "2:17: expected MiB from 16 to 1048576, found 15"),
        ("mainCore: 1024", "2:19: expected the number of a core from 0 to 1023, found 1024"),
        (
            "filePrefix: 'a/b'",
            "2:21: expected the beginning of a file's name, 1 to 32 letters, digits, \"-\" or \"_\", found \"a/b\""
        ),
        (
            "hugepageDirectory: 'huge'",
            "2:28: expected an absolute path, such as \"/dev/hugepages\", found \"huge\""
        ),
        (
            "hugepages: false, hugepageDirectory: '/mnt'",
            "2:46: without huge pages there is no folder of them; leave \"hugepageDirectory\" out, or write hugepages: true|2:20: they are refused here"
        ),
        ("hugepages: 'never'", "2:20: expected true or false, found \"never\""),
        (
            "allow: ['3:0.0']",
            "2:17: \"3:0.0\" is no PCI address as \"0000:03:00.0\" is; did you mean \"0000:03:00.0\"?"
        ),
        (
            "allow: ['net_null0']",
            "2:17: net_null0 is no device on PCI, and \"allow\" is about those; write it in \"vdevs\""
        ),
        (
            "allow: ['0000:01:00.0']",
            "2:17: 0000:01:00.0 is one of the interfaces, which are allowed anyway; leave it out"
        ),
        (
            "extra: ['-b', '01:00.0']",
            "2:17: \"-b\" is Apus's to give; write \"dpdk.block\" instead"
        ),
        (
            "extra: ['--in-memory']",
            "2:17: \"--in-memory\" is what Apus says itself where no \"dpdk.hugepageDirectory\" is named; leave it out"
        ),
        (
            "block: ['01:00.0']",
            "3:22: 0000:01:00.0 is blocked; take another device|2:17: it is blocked here"
        ),
        (
            "allow: ['02:00.0'], block: ['0000:02:00.0']",
            "2:17: 0000:02:00.0 is allowed, and blocked too; leave one of them out|2:37: it is blocked here"
        ),
        (
            "block: ['net_null0']",
            "2:17: net_null0 is no device on PCI, and \"block\" is about those; leave it out"
        ),
        (
            "vdevs: ['net_nul0']",
            "2:17: DPDK has no driver for the virtual device \"net_nul0\"; did you mean \"net_null0\"?"
        ),
        (
            "vdevs: ['0000:03:00.0']",
            "2:17: expected a virtual device, such as \"net_null0\", found \"0000:03:00.0\"; a device on PCI stands in \"allow\""
        ),
        (
            "vdevs: ['net_null0', 'net_null0,size=64']",
            "2:30: the virtual device \"net_null0\" is there twice"
        ),
        (
            "extra: ['--legacy-mem', '--vdev=net_null0']",
            "2:33: \"--vdev\" is Apus's to give; write \"dpdk.vdevs\" instead"
        ),
        (
            "cores: [1]",
            "2:9: unknown key \"cores\"; known here: hugepages, memory, hugepageDirectory, filePrefix, mainCore, allow, block, vdevs, extra"
        ),
    ])
    func `how DPDK is started is checked`(settings: String, messages: String) {
        Rule.expect(
            "{ streams: [{ listen: '192.0.2.1:5004', to: ['198.51.100.7:5004'] }],\ndpdk: { \(settings) },\n"
                + "interfaces: [{ name: '0000:01:00.0', addresses: ['192.0.2.1/24'] }] }",
            messages.split(separator: "|").map(String.init))
    }

    @Test(arguments: [
        (
            "defaults: { backend: 'dpdk' },",
            "2:22: the backend \"dpdk\" is for interfaces with addresses of their own; list each in \"interfaces\""
        )
    ])
    func `the defaults are of the kernel's interfaces`(section: String, message: String) {
        Rule.expect(Rule.with(section + " interfaces: [{ name: 'eth0' }]"), [message])
        // What else they say, and DPDK has not, is passed over.
        let read = complaint(
            aboutForwarder: Rule.with(
                "defaults: { backend: 'xdp', mode: 'native', ringSize: 65536, busyPoll: {} }, "
                    + "interfaces: [{ name: 'net_null0', addresses: ['192.0.2.1/24'], ringSize: 64, frames: 640 }]"
            ))
        #expect(read.hasPrefix("read: "), "\(read)")
    }

    @Test(arguments: [
        (
            "listen: '0.0.0.0:5004', to: ['192.0.2.1:5004']",
            "2:32: stream \"0.0.0.0:5004\" sends to 192.0.2.1:5004, where it listens itself: its packets would come back for ever|2:11: it listens here"
        ),
        (
            "listen: '192.0.2.1:5004', to: ['192.0.2.1:5006']",
            "2:34: 192.0.2.1 is an address of net_null0 and so of this host itself; packets to it would come back: name another host"
        ),
        (
            "listen: '192.0.2.1:5004', to: ['192.0.2.255:5006']",
            "2:34: 192.0.2.255 is a broadcast address, to which nothing is sent; name one host, or a multicast group"
        ),
        (
            "listen: '192.0.2.1:5004', to: ['198.51.100.1:1'], interface: 'net_nulll0,size=64'",
            "2:64: the interface \"net_nulll0,size=64\" is none of those that \"interfaces\" lists, as one over DPDK has to be; did you mean \"net_null0\"?"
        ),
        (
            "listen: '192.0.2.1:5004', to: ['198.51.100.1:1'], interface: '0000:03:00.0'",
            "2:64: the interface \"0000:03:00.0\" is none of those that \"interfaces\" lists, as one over DPDK has to be, with its addresses; add it there"
        ),
    ])
    func `addresses of DPDK's interfaces are the host's own`(stream: String, messages: String) {
        Rule.expect(
            "{ streams: [\n{ \(stream) }],\ninterfaces: [{ name: 'net_null0', addresses: ['192.0.2.1/24'] }] }",
            messages.split(separator: "|").map(String.init))
    }

    @Test
    func `the longest prefix says the way, then the interface that a stream listens on, then the kernel`()
        throws
    {
        let read = try forwarder(
            """
            {
              interfaces: [
                { name: "net_null0", addresses: ["192.0.2.1/24", "2001:db8::1/64"], gateway: ["192.0.2.254", "fe80::1"] },
                { name: "net_null1", addresses: ["198.51.100.1/24"], gateway: "198.51.100.254",
                  routes: [{ to: "10.0.0.0/8", via: "198.51.100.3" }, { to: "10.1.0.0/16", via: "198.51.100.4" }] },
                { name: "eth0" },
              ],
              streams: [
                { name: "zero", listen: "192.0.2.1:1", to: ["203.0.113.9:1"] },
                { name: "one", listen: "198.51.100.1:1", to: ["203.0.113.9:1"] },
                { name: "kernel", listen: "203.0.113.1:1", to: ["203.0.113.9:1"] },
                { name: "any", listen: "0.0.0.0:9", to: ["203.0.113.9:1"] },
                { name: "group", listen: "239.1.1.1:8", to: ["203.0.113.9:1"], interface: "net_null1,size=64" },
              ],
            }
            """)
        func way(_ stream: String, _ destination: String) -> String? {
            let stream = read.streams.first { $0.name == stream }!
            return read.dpdkWay(of: stream, to: IPAddress(destination)!).map { way in
                way.interface + (way.neighbor.map { " \($0)" } ?? "")
            }
        }
        for stream in ["zero", "one", "kernel", "any", "group"] {
            #expect(way(stream, "192.0.2.9") == "net_null0 192.0.2.9")
            #expect(way(stream, "10.2.0.1") == "net_null1 198.51.100.3")
            #expect(way(stream, "10.1.0.1") == "net_null1 198.51.100.4")
        }
        #expect(way("zero", "203.0.113.9") == "net_null0 192.0.2.254")
        #expect(way("zero", "2001:db9::9") == "net_null0 fe80::1" && way("one", "2001:db9::9") == nil)
        #expect(way("one", "203.0.113.9") == "net_null1 198.51.100.254")
        #expect(way("group", "203.0.113.9") == "net_null1 198.51.100.254")
        #expect(way("kernel", "203.0.113.9") == nil && way("kernel", "239.1.1.2") == nil)
        #expect(way("any", "203.0.113.9") == "net_null0 192.0.2.254")
        #expect(way("one", "239.1.1.2") == "net_null1" && way("zero", "fe80::5") == "net_null0 fe80::5")
    }
}
