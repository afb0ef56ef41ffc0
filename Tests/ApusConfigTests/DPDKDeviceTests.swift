import ApusWire
import Testing

@testable import ApusConfig

/// The names of devices, networks, and the arguments of DPDK, as pure functions.
@Suite struct DPDKDeviceTests {
    @Test(arguments: [
        ("0000:03:00.0", "0000:03:00.0"), ("03:00.0", "0000:03:00.0"), ("0000:AF:1F.7", "0000:af:1f.7"),
        ("10000:e1:00.0", "10000:e1:00.0"),
    ])
    func `a PCI address is read with and without its domain`(text: String, canonical: String) throws {
        #expect(PCIAddress(text)?.description == canonical)
        let device = try DPDKDevice(text)
        #expect(device.name == canonical && device.argument == canonical)
        #expect(try DPDKDevice(text + ",mprq_en=1").argument == canonical + ",mprq_en=1")
        #expect(DPDKDevice.isMeant(by: text))
    }

    @Test(arguments: [
        "", "03:00", "0000:03:00.8", "0000:03:20.0", "3:0.0", "0000:03:00:0", "0000:03:00.00", "+000:03:00.0",
        "0000:03:00.0 ", "0000:0g:00.0", "100000000:03:00.0", "000:03:00.0",
    ])
    func `what is no PCI address is none`(text: String) {
        #expect(PCIAddress(text) == nil)
    }

    @Test(arguments: [
        ("net_null0", "net_null0"), ("net_tap0,iface=tap0", "net_tap0"), ("net_tap", "net_tap"),
        ("net_ring_a1,internal=0x10", "net_ring_a1"), ("net_vhost1,iface=/a[b,c]", "net_vhost1"),
        ("net_af_packet7,iface=va,qpairs=2", "net_af_packet7"), ("net_null12,no-rx=1", "net_null12"),
        ("net_bonding0,mode=1,slave=0000:03:00.0", "net_bonding0"),
        ("net_virtio_user0,path=/dev/vhost-net", "net_virtio_user0"),
        ("net_ring0,nodeaction=r0:0:CREATE", "net_ring0"),
    ])
    func `a virtual device is read with what its driver is told`(text: String, name: String) throws {
        let device = try DPDKDevice(text)
        #expect(device.name == name && device.argument == text)
        #expect(DPDKDevice.isMeant(by: text))
    }

    @Test(arguments: [
        (
            "net_tapp0",
            "DPDK has no driver for the virtual device \"net_tapp0\"; did you mean \"net_tap0\"?"
        ),
        ("net_tpa0", "DPDK has no driver for the virtual device \"net_tpa0\"; did you mean \"net_tap0\"?"),
        (
            "net_afpacket0,iface=eth0",
            "DPDK has no driver for the virtual device \"net_afpacket0\"; did you mean \"net_af_packet0\"?"
        ),
        (
            "net_vhsot12",
            "DPDK has no driver for the virtual device \"net_vhsot12\"; did you mean \"net_vhost12\"?"
        ),
        (
            "tap0,iface=tap0",
            "DPDK makes no virtual device \"tap0,iface=tap0\"; did you mean \"net_tap0,iface=tap0\"?"
        ),
        ("nettap0", "DPDK makes no virtual device \"nettap0\"; did you mean \"net_tap0\"?"),
        ("net_tap0,ifcae=tap0", "net_tap can't be told \"ifcae\"; did you mean \"iface\"?"),
        ("net_null0,colour=1", "net_null can't be told \"colour\"; it takes size, copy, no-rx"),
        (
            "net_tap0,",
            "behind a comma the virtual device net_tap0 is told something, such as \"net_tap0,iface=…\""
        ),
        ("net_af_xdp0", "net_af_xdp needs to be told iface, such as \"net_af_xdp0,iface=eth0\""),
        ("3:0.0", "\"3:0.0\" is no PCI address as \"0000:03:00.0\" is; did you mean \"0000:03:00.0\"?"),
        (
            "0000:03:00:0",
            "\"0000:03:00:0\" is no PCI address as \"0000:03:00.0\" is; did you mean \"0000:03:00.0\"?"
        ),
        (
            "eth0",
            "expected a PCI address, such as \"0000:03:00.0\", or a virtual device, such as \"net_tap0,iface=tap0\", "
                + "found \"eth0\"; `apus doctor` shows the addresses of network cards"
        ),
    ])
    func `a typo in a device is told with what was meant`(text: String, sentence: String) {
        #expect { try DPDKDevice.read(text) } throws: { ($0 as? ValueRefusal)?.message == sentence }
    }

    @Test func `an unknown driver is told with those there are`() {
        #expect { try DPDKDevice.read("net_frobnicate0") } throws: {
            "\(($0 as? ValueRefusal)?.message ?? "")".hasPrefix(
                "DPDK makes no virtual device \"net_frobnicate0\"; its drivers are net_af_packet, net_af_xdp, "
            )
        }
        #expect(!DPDKDevice.isMeant(by: "eth0") && !DPDKDevice.isMeant(by: "enp3s0f0"))
    }

    @Test func `a network has its members, its broadcast address and its name`() {
        let own = AddressPrefix("192.0.2.77/25")!
        #expect(own.network == AddressPrefix("192.0.2.0/25") && "\(own)" == "192.0.2.77/25")
        #expect(own.contains(IPAddress("192.0.2.127")!) && !own.contains(IPAddress("192.0.2.128")!))
        #expect(own.broadcast == IPAddress("192.0.2.127") && !own.contains(IPAddress("2001:db8::1")!))
        #expect(
            AddressPrefix("192.0.2.0/31")?.broadcast == nil
                && AddressPrefix("2001:db8::1/64")?.broadcast == nil)
        let everything = AddressPrefix("0.0.0.0/0")!
        #expect(everything.contains(IPAddress("255.255.255.255")!) && everything.network == everything)
        for (text, inside, outside) in [
            ("2001:db8::1/64", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"),
            ("2001:db8::1/127", "2001:db8::", "2001:db8::2"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::"),
            ("2001:db8:ff00::/40", "2001:db8:ffff::1", "2001:db8:fe00::1"), ("::/0", "ff02::1", "192.0.2.1"),
        ] {
            let prefix = AddressPrefix(text)!
            #expect(prefix.contains(IPAddress(inside)!) && !prefix.contains(IPAddress(outside)!), "\(text)")
        }
        for text in ["", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/+8", "::1/129", "/24", "a/24"]
        {
            #expect(AddressPrefix(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("--iova-mode=va", nil), ("--legacy-mem", nil), ("-n4", nil), ("4", nil), ("-d", nil),
        ("--no-huge", "\"--no-huge\" is Apus's to give; write \"dpdk.hugepages\" instead"),
        ("-l0-3", "\"-l\" is Apus's to give; write \"workers.cpus\" instead"),
        ("--help", "\"--help\" prints DPDK's own help and ends; leave it out"),
        ("--", "\"--\" ends the arguments of DPDK, and Apus gives more; leave it out"),
        ("--legcay-mem", "DPDK knows no argument \"--legcay-mem\"; did you mean \"--legacy-mem\"?"),
        ("--colour=1", "DPDK knows no argument \"--colour\", and would end the program"),
    ])
    func `an argument of DPDK is one that it takes and Apus does not give`(argument: String, refusal: String?)
    {
        #expect(EALOption.refusal(of: argument) == refusal)
    }
}
