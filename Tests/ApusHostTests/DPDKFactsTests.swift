import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusHost

/// A host as /sys, /proc and /dev would show it, in a folder of its own.
struct FakeHost {
    let root: String

    init(_ files: [String: String], links: [String: String] = [:]) throws {
        root = String(try NetworkLab.run(["mktemp", "-d"]).standardOutput.dropLast())
        for (path, content) in files {
            try NetworkLab.run(
                ["sh", "-c", "mkdir -p \"$(dirname $0)\" && cat >$0", "\(root)/\(path)"], input: content)
        }
        for (path, target) in links {
            try NetworkLab.run(
                ["sh", "-c", "mkdir -p \"$(dirname $1)\" && ln -s $0 $1", target, "\(root)/\(path)"])
        }
    }

    func remove() { _ = try? NetworkLab.run(["rm", "-rf", root]) }

    /// Two nodes, three cards with a driver each, of which one has a bridge and another function in its group.
    static func server() throws -> FakeHost {
        let pci = "sys/bus/pci/devices"
        let node = "sys/devices/system/node"
        var files = [
            "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
            "proc/cmdline":
                "BOOT_IMAGE=/vmlinuz ro quiet intel_iommu=on iommu=pt hugepagesz=1G hugepages=8 isolcpus=4-7\n",
            "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n",
            "\(pci)/0000:00:1f.0/class": "0x060100\n", "\(pci)/0000:00:01.0/class": "0x060400\n",
            "sys/class/iommu/dmar0/x": "", "sys/class/iommu/dmar1/x": "",
            "sys/module/vfio/parameters/enable_unsafe_noiommu_mode": "N\n",
            "sys/module/vfio_pci/refcnt": "0\n",
            "lib/modules/6.1.0-18-amd64/modules.dep":
                "kernel/drivers/uio/uio_pci_generic.ko.xz: kernel/drivers/uio/uio.ko.xz\nkernel/drivers/uio/uio.ko.xz:\n",
            "sys/devices/system/cpu/nohz_full": "4-7\n", "\(node)/node0/distance": "10 21\n",
            "\(node)/node1/distance": "21 10\n", "dev/vfio/41": "", "usr/sbin/driverctl": "",
            "usr/share/misc/pci.ids": """
            # comment
            10ec  Realtek
            \t10d3  of another vendor
            8086  Intel Corporation
            \t10d3  82574L Gigabit Network Connection
            \t\t8086 a01f  Gigabit CT
            \t1572  Ethernet Controller X710 for 10GbE SFP+
            C 02  Network controller
            \t00  Ethernet controller

            """,
        ]
        for (address, device, node) in [
            ("0000:03:00.0", "0x8086 0x10d3", 0), ("0000:81:00.0", "0x8086 0x1572", 1),
            ("0000:81:00.1", "0x8086 0x1572", 1), ("0000:00:03.0", "0x1af4 0x1041", -1),
        ] {
            let ids = device.split(separator: " ")
            files["\(pci)/\(address)/class"] = "0x020000\n"
            files["\(pci)/\(address)/vendor"] = "\(ids[0])\n"
            files["\(pci)/\(address)/device"] = "\(ids[1])\n"
            files["\(pci)/\(address)/numa_node"] = "\(node)\n"
            files["\(pci)/\(address)/driver_override"] = address == "0000:81:00.0" ? "vfio-pci\n" : "(null)\n"
        }
        files["\(pci)/0000:03:00.0/net/eth0/mtu"] = "1500\n"
        files["\(pci)/0000:81:00.1/net/eth2/mtu"] = "1500\n"
        files["\(pci)/0000:00:03.0/virtio2/net/eth9/mtu"] = "1500\n"
        for (number, pages) in [(0, (512, 500, 4, 4)), (1, (0, 0, 8, 1))] {
            for (name, total, free) in [("2048", pages.0, pages.1), ("1048576", pages.2, pages.3)] {
                files["\(node)/node\(number)/hugepages/hugepages-\(name)kB/nr_hugepages"] = "\(total)\n"
                files["\(node)/node\(number)/hugepages/hugepages-\(name)kB/free_hugepages"] = "\(free)\n"
            }
        }
        var links = [
            "\(pci)/0000:03:00.0/driver": "../../../drivers/e1000e",
            "\(pci)/0000:81:00.0/driver": "../../../drivers/vfio-pci",
            "\(pci)/0000:81:00.1/driver": "../../../drivers/i40e",
            "\(pci)/0000:00:03.0/driver": "../../../drivers/virtio-pci",
            "\(pci)/0000:00:01.0/driver": "../../../drivers/pcieport",
            "\(pci)/0000:03:00.0/iommu_group": "../../../../kernel/iommu_groups/7",
        ]
        files["sys/kernel/iommu_groups/7/devices/0000:03:00.0"] = ""
        for member in ["0000:00:01.0", "0000:81:00.0", "0000:81:00.1"] {
            files["sys/kernel/iommu_groups/41/devices/\(member)"] = ""
            links["\(pci)/\(member)/iommu_group"] = "../../../../kernel/iommu_groups/41"
        }
        let host = try FakeHost(files, links: links)
        try NetworkLab.run(["chmod", "+x", "\(host.root)/usr/sbin/driverctl"])
        return host
    }
}

@Suite("Facts for DPDK")
struct DPDKFactsTests {
    @Test("cards are read with their names, drivers, interfaces, nodes and groups")
    func devices() throws {
        let host = try FakeHost.server()
        defer { host.remove() }
        let devices = PCINetworkDevice.all(root: host.root)
        #expect(devices.map(\.address) == ["0000:00:03.0", "0000:03:00.0", "0000:81:00.0", "0000:81:00.1"])
        #expect(devices.map(\.driver) == ["virtio-pci", "e1000e", "vfio-pci", "i40e"])
        #expect(devices.map(\.interfaces) == [["eth9"], ["eth0"], [], ["eth2"]])
        #expect(devices.map(\.node) == [nil, 0, 1, 1])
        #expect(devices.map(\.iommuGroup) == [nil, 7, 41, 41])
        #expect(devices.map(\.vendor) == ["1af4", "8086", "8086", "8086"])
        #expect(
            devices.map(\.vendorName) == [nil, "Intel Corporation", "Intel Corporation", "Intel Corporation"])
        #expect(devices[1].deviceName == "82574L Gigabit Network Connection")
        #expect(devices[2].deviceName == "Ethernet Controller X710 for 10GbE SFP+")
        #expect(devices.map(\.driverOverride) == [nil, nil, "vfio-pci", nil])
        #expect(devices.map(\.isReadyForDPDK) == [false, false, true, false])
        #expect(devices[1].groupMembers.isEmpty && devices[1].mayOpenGroup == nil)
        #expect(
            devices[2].groupMembers == [
                .init(address: "0000:00:01.0", driver: "pcieport", isBridge: true),
                .init(address: "0000:81:00.1", driver: "i40e", isBridge: false),
            ])
        #expect(devices[2].mayOpenGroup == true)
    }

    @Test("what else DPDK needs is read: IOMMU, modules, huge pages by node, cores, distances")
    func host() throws {
        let host = try FakeHost.server()
        defer { host.remove() }
        let facts = DPDKHostFacts(root: host.root)
        #expect(
            facts.iommus == ["dmar0", "dmar1"] && facts.iommuGroups == 2 && facts.unsafeNoIOMMUMode == false)
        #expect(facts.modules == ["vfio-pci": .loaded, "uio_pci_generic": .available, "igb_uio": .missing])
        #expect(
            facts.kernelParameters
                == ["intel_iommu=on", "iommu=pt", "hugepagesz=1G", "hugepages=8", "isolcpus=4-7"])
        #expect(facts.cpuVendor == "GenuineIntel" && facts.noHzFullCPUs == [4, 5, 6, 7])
        #expect(
            facts.hugepages == [
                .init(node: 0, pageSize: 2 << 20, total: 512, free: 500),
                .init(node: 0, pageSize: 1 << 30, total: 4, free: 4),
                .init(node: 1, pageSize: 2 << 20, total: 0, free: 0),
                .init(node: 1, pageSize: 1 << 30, total: 8, free: 1),
            ])
        #expect(
            facts.distances == [.init(node: 0, distances: [10, 21]), .init(node: 1, distances: [21, 10])])
        #expect(!facts.hasDevbind && facts.hasDriverctl)
    }

    @Test("a host that has none of it is read too")
    func nothing() throws {
        let host = try FakeHost([:])
        defer { host.remove() }
        let facts = DPDKHostFacts(root: host.root)
        #expect(facts.iommus.isEmpty && facts.iommuGroups == 0 && facts.unsafeNoIOMMUMode == nil)
        #expect(facts.modules.values.allSatisfy { $0 == .missing } && facts.hugepages.isEmpty)
        #expect(PCINetworkDevice.all(root: host.root).isEmpty)
        #expect(RemoteAccess(root: host.root, sshConnection: nil).routeInterfaces.isEmpty)
    }

    @Test("this host's cards are those that the kernel shows")
    func current() throws {
        let shown = try NetworkLab.run(
            ["sh", "-c", "grep -l '^0x02' /sys/bus/pci/devices/*/class 2>/dev/null | wc -l"])
        #expect(PCINetworkDevice.all().count == Int(shown.standardOutput.dropLast()))
        let facts = DPDKHostFacts.current()
        let total = facts.hugepages.filter { $0.pageSize == 2 << 20 }.map(\.total).reduce(0, +)
        #expect(total == HostFacts.current().hugepages.first { $0.pageSize == 2 << 20 }?.total)
    }

    @Test("the ways to the host are found: default routes of both versions, and SSH by port or variable")
    func access() throws {
        let host = try FakeHost([
            "proc/net/route": """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0

            """,
            "proc/net/ipv6_route": """
            00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth2
            00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo

            """,
            "proc/net/tcp": """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
               1: 010200C0:0016 076433C6:D431 01 00000000:00000000 00:00000000 00000000     0        0 2
               2: 020200C0:1F90 076433C6:D432 01 00000000:00000000 00:00000000 00000000     0        0 3

            """,
            "proc/net/tcp6": """
              sl  local_address                         remote_address                        st
               0: 0000000000000000FFFF0000030200C0:0016 0000000000000000FFFF0000076433C6:D431 01
               1: B80D0120000000000000000001000000:0016 B80D0120000000000000000007000000:D431 01

            """,
        ])
        defer { host.remove() }
        let access = RemoteAccess(root: host.root, sshConnection: "198.51.100.7 1 203.0.113.1 2222")
        #expect(access.routeInterfaces == ["eth0", "eth2"])
        #expect(
            access.sshAddresses.map(\.description)
                == ["192.0.2.1", "192.0.2.3", "2001:db8::1", "203.0.113.1"])
    }
}
