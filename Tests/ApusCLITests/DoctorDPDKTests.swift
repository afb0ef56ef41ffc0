import ApusWire
import Foundation
import Testing

@testable import ApusCLI
@testable import ApusHost

extension DoctorDPDKFacts {
    /// A host with nothing for DPDK on it.
    static var none: DoctorDPDKFacts {
        DoctorDPDKFacts(
            dpdk: DPDKHostFacts(root: "/nonexistent"), devices: [], access: [:],
            library: Finding("DPDK", .ok, "here"))
    }
}

/// The doctor's judgement of hosts and cards for DPDK, as they may be elsewhere.
@Suite struct DoctorDPDKTests {
    /// A host of two nodes on which everything is as it should be.
    private var host: HostFacts {
        var facts = HostFacts.current()
        facts.architecture = "x86_64"
        facts.hugepageMounts = [.init(path: "/dev/hugepages", pageSize: 2 << 20)]
        (facts.onlineCPUs, facts.allowedCPUs) = (Array(0...7), Array(0...7))
        facts.isolatedCPUs = [2, 3, 6, 7]
        facts.nodes = [.init(id: 0, cpus: [0, 1, 2, 3]), .init(id: 1, cpus: [4, 5, 6, 7])]
        return facts
    }

    private func card(_ driver: String?, _ interface: String? = nil) -> PCINetworkDevice {
        PCINetworkDevice(
            address: "0000:81:00.0", vendor: "8086", device: "1572", vendorName: "Intel Corporation",
            deviceName: "Ethernet Controller X710", driver: driver, driverOverride: nil,
            interfaces: interface.map { [$0] } ?? [], node: 1, iommuGroup: 41, groupMembers: [],
            mayOpenGroup: driver == "vfio-pci" ? true : nil)
    }

    private var facts: DoctorDPDKFacts {
        var facts = DoctorDPDKFacts.none
        facts.dpdk.iommus = ["dmar0"]
        facts.dpdk.iommuGroups = 42
        facts.dpdk.modules = ["vfio-pci": .loaded, "uio_pci_generic": .available, "igb_uio": .missing]
        facts.dpdk.cpuVendor = "GenuineIntel"
        facts.dpdk.noHzFullCPUs = [2, 3, 6, 7]
        facts.dpdk.hugepages = [
            .init(node: 0, pageSize: 2 << 20, total: 512, free: 512),
            .init(node: 1, pageSize: 2 << 20, total: 512, free: 100),
        ]
        facts.dpdk.distances = [.init(node: 0, distances: [10, 21]), .init(node: 1, distances: [21, 10])]
        facts.devices = [card("vfio-pci")]
        return facts
    }

    private func finding(
        _ subject: String, _ changeFacts: (inout DoctorDPDKFacts) -> Void = { _ in },
        host change: (inout HostFacts) -> Void = { _ in }
    ) throws -> Finding {
        var (host, facts) = (host, facts)
        change(&host)
        changeFacts(&facts)
        return try #require(DPDKDiagnosis(facts, on: host).findings.first { $0.subject == subject })
    }

    private func diagnosis(
        _ device: PCINetworkDevice, _ change: (inout DoctorDPDKFacts) -> Void = { _ in }
    ) -> DeviceDiagnosis {
        var facts = facts
        change(&facts)
        return DeviceDiagnosis(device, facts, on: host)
    }

    @Test func `a good host and a bound card are fine`() {
        #expect(DPDKDiagnosis(facts, on: host).findings.allSatisfy { $0.level == .ok && $0.remedy == nil })
        let report = diagnosis(card("vfio-pci"))
        #expect(report.verdict == .ok && !report.isInUse)
        #expect(
            report.findings.map(\.text) == [
                "vfio-pci: DPDK can have it", "41, its own",
                "1: take cores of 4-7 for its workers, isolated 6-7; distances to the nodes: 21 10",
            ])
    }

    @Test func `a card that the kernel has is told how to be bound, in three ways`() {
        let report = diagnosis(card("i40e", "eth2"))
        #expect(report.verdict == .degraded)
        let binding = report.findings[0]
        #expect(binding.text == "i40e: the kernel has it, and DPDK can't")
        let folder = "/sys/bus/pci/devices/0000:81:00.0"
        let files =
            "echo vfio-pci > \(folder)/driver_override && echo 0000:81:00.0 > \(folder)/driver/unbind && "
            + "echo 0000:81:00.0 > /sys/bus/pci/drivers_probe"
        #expect(binding.remedy == files)
        #expect(
            binding.alternatives == [
                "dpdk-devbind.py --bind=vfio-pci 0000:81:00.0",
                "driverctl set-override 0000:81:00.0 vfio-pci  # lasts over boots; apt-get install driverctl",
            ])
        // Where the script is, it comes first; a module that is not loaded is loaded before.
        let other = diagnosis(card(nil)) {
            $0.dpdk.hasDevbind = true
            $0.dpdk.modules["vfio-pci"] = .available
        }.findings[0]
        #expect(other.text == "none")
        #expect(other.remedy == "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:81:00.0")
        #expect(
            other.alternatives?.first
                == "modprobe vfio-pci && echo vfio-pci > \(folder)/driver_override && "
                + "echo 0000:81:00.0 > /sys/bus/pci/drivers_probe")
        // UIO is for want of VFIO only, and without both there is nothing to be done.
        let uio = diagnosis(card("i40e")) { $0.dpdk.modules["vfio-pci"] = .missing }
        #expect(uio.findings[0].alternatives?.first?.hasSuffix("--bind=uio_pci_generic 0000:81:00.0") == true)
        let none = diagnosis(card("i40e")) { $0.dpdk.modules = [:] }
        #expect(none.verdict == .impossible && none.findings[0].remedy == nil)
        let shared = diagnosis(card("mlx5_core", "eth2"))
        #expect(shared.verdict == .ok && shared.findings[0].text.hasSuffix("leave it bound"))
    }

    @Test func `a card that the operator is connected by is warned of, also beneath a bond or VLAN`() {
        let report = diagnosis(card("i40e", "eth2")) { $0.access = ["eth2": "the default route"] }
        #expect(report.isInUse && report.findings[0].subject == "in use")
        #expect(
            report.findings[0].text
                == "eth2 carries the default route: binding it away cuts you off from this host")
        func link(_ index: Int32, _ name: String, controller: Int32? = nil, parent: Int32? = nil) -> Link {
            Link(
                index: index, name: name, macAddress: nil, mtu: 1500, isUp: true, hasCarrier: true,
                isLoopback: false, isPointToPoint: false, hasNoARP: false, isEthernet: true, kind: nil,
                controller: controller, parent: parent, vlan: nil, receiveQueues: 1, transmitQueues: 1,
                xdpProgram: nil)
        }
        let links = [
            link(1, "eth0", controller: 3), link(2, "eth1", controller: 3), link(3, "bond0"),
            link(4, "bond0.5", parent: 3), link(5, "eth5"), link(6, "eth6"),
        ]
        var remote = RemoteAccess(root: "/nonexistent", sshConnection: "192.0.2.9 1 192.0.2.5 22")
        remote.routeInterfaces = ["bond0.5"]
        let address = InterfaceAddress(
            interface: 5, address: IPAddress("192.0.2.5")!, prefixLength: 24, isTentative: false,
            isDeprecated: false)
        #expect(
            DoctorDPDKFacts.access(remote, links, [address]) == [
                "bond0.5": "the default route", "bond0": "the default route", "eth0": "the default route",
                "eth1": "the default route", "eth5": "an SSH connection",
            ])
    }

    @Test func `a group goes as a whole, and has a file that may be opened`() {
        var shared = card("vfio-pci")
        shared.groupMembers = [
            .init(address: "0000:80:00.0", driver: "pcieport", isBridge: true),
            .init(address: "0000:81:00.1", driver: "i40e", isBridge: false),
        ]
        let group = diagnosis(shared).findings[1]
        #expect(group.level == .degraded && group.text.contains("0000:81:00.1 (i40e)"))
        #expect(group.remedy?.hasSuffix("echo 0000:81:00.1 > /sys/bus/pci/drivers_probe") == true)
        shared.groupMembers[1].driver = nil
        #expect(diagnosis(shared).verdict == .ok)
        shared.mayOpenGroup = false
        #expect(diagnosis(shared).findings[1].remedy == "chown USER /dev/vfio/41")
        shared.iommuGroup = nil
        #expect(diagnosis(shared).findings[1].text == "none: it may write to any memory of this host")
    }

    @Test func `what the host lacks is told with the command that mends it, now and for each boot`() throws {
        func grub(_ parameters: String) -> String {
            "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&\(parameters) /' /etc/default/grub && update-grub"
        }
        let off = try finding("IOMMU") { ($0.dpdk.iommus, $0.dpdk.iommuGroups) = ([], 0) }
        #expect(off.level == .degraded && off.remedy == grub("intel_iommu=on iommu=pt"))
        #expect(off.alternatives == ["echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"])
        let asked = try finding("IOMMU") {
            ($0.dpdk.iommuGroups, $0.dpdk.kernelParameters) = (0, ["intel_iommu=on"])
            $0.dpdk.modules["vfio-pci"] = .available
        }
        #expect(asked.text.contains("switch it on in the firmware") && asked.remedy == nil)
        #expect(asked.alternatives == ["modprobe vfio enable_unsafe_noiommu_mode=1"])
        #expect(
            try finding("IOMMU") { ($0.dpdk.iommuGroups, $0.dpdk.unsafeNoIOMMUMode) = (0, true) }.text
                .contains("CAP_SYS_RAWIO"))
        let modules = try finding("modules") { $0.dpdk.modules["vfio-pci"] = .available }
        #expect(modules.text == "vfio-pci not loaded, uio_pci_generic not loaded, igb_uio missing")
        #expect(modules.remedy == "modprobe vfio-pci")
        #expect(try finding("modules") { $0.dpdk.modules = [:] }.level == .impossible)
        let pages = try finding("hugepages by node") { $0.dpdk.hugepages[1].free = 0 }
        #expect(
            pages.text
                == "node 0: 512 of 512 free of 2.00 MiB; node 1: 0 of 512 free of 2.00 MiB; none is free on node 1, where a card is"
        )
        #expect(
            pages.remedy
                == "echo 1024 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages")
        // As many on each node at the next boot.
        #expect(pages.alternatives == [grub("hugepages=2048") + "  # on all nodes alike, at the next boot"])
        let none = try finding("hugepages by node") {
            $0.dpdk.hugepages = [.init(node: 0, pageSize: 2 << 20, total: 0, free: 0)]
            $0.devices[0].node = nil
        }
        #expect(none.text == "none" && none.remedy == "sysctl -w vm.nr_hugepages=512")
        #expect(none.alternatives == [grub("hugepages=512") + "  # on all nodes alike, at the next boot"])
        let mount = try finding("hugetlbfs", host: { $0.hugepageMounts = [] })
        #expect(mount.level == .ok && mount.remedy == nil)
        let cores = try finding("isolated cores", host: { $0.isolatedCPUs = [] })
        #expect(cores.remedy == grub("isolcpus=2-3,6-7 nohz_full=2-3,6-7 rcu_nocbs=2-3,6-7"))
        let ticking = try finding("isolated cores") { $0.dpdk.noHzFullCPUs = [2, 3] }
        #expect(ticking.text == "2-3, 6-7; the timer interrupts 6-7")
        #expect(ticking.remedy == grub("nohz_full=2-3,6-7 rcu_nocbs=2-3,6-7"))
        #expect(
            try finding("NUMA").text
                == "node 0: cores 0-3, distances 10 21; node 1: cores 4-7, distances 21 10")
    }

    @Test func `the drivers of DPDK are counted, and missed`() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-pmds-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let none = DoctorDPDKFacts.library("DPDK 22.11.11", drivers: folder)
        #expect(none.level == .impossible && none.remedy == "apt-get install librte-meta-net")
        for name in [
            "librte_net_null.so.23", "librte_net_null.so.23.0", "librte_net_tap.so.23.0",
            "librte_bus_pci.so.23",
        ] {
            try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        #expect(
            DoctorDPDKFacts.library("DPDK 22.11.11", drivers: folder).text
                == "DPDK 22.11.11, 2 drivers for network devices in \(folder)")
    }

    @Test func `the report shows each card with its commands whole`() throws {
        let report = DoctorReport(
            host: HostDiagnosis(kernel: "6.1", architecture: "x86_64", findings: []), interfaces: [],
            dpdk: DPDKDiagnosis(facts, on: host), devices: [diagnosis(card("i40e", "eth2"))], leftovers: [])
        let text = DoctorText(report, width: 80, style: Style(isOn: false)).lines
        #expect(
            text.contains("0000:81:00.0: Intel Corporation Ethernet Controller X710 (8086:1572),"))
        #expect(text.contains("  ! driver                  i40e: the kernel has it, and DPDK can't"))
        let margin = String(repeating: " ", count: 28)
        #expect(text.contains(margin + "or → dpdk-devbind.py --bind=vfio-pci 0000:81:00.0"))
        #expect(
            text.allSatisfy { $0.count <= 80 || $0.contains("→") })
    }
}

/// The built program on this machine: it may only look.
@Suite struct DoctorDPDKProgramTests {
    private func report(_ name: String = "") throws -> (code: Int32, [String: Any]) {
        let run = try shell("apus doctor --json \(name)")
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
        return (run.code, try #require(object as? [String: Any]))
    }

    @Test func `what DPDK needs has the same names everywhere`() throws {
        let (_, all) = try report()
        let dpdk = try #require(all["dpdk"] as? [String: Any])
        #expect(dpdk.keys.sorted() == ["facts", "findings", "hugepageMounts", "isolatedCPUs"])
        let facts = try #require(dpdk["facts"] as? [String: Any])
        let always: Set = [
            "distances", "hasDevbind", "hasDriverctl", "hugepages", "iommuGroups", "iommus",
            "kernelParameters",
            "modules", "noHzFullCPUs",
        ]
        #expect(always.isSubset(of: facts.keys))
        #expect(
            (dpdk["findings"] as? [[String: Any]])?.compactMap { $0["subject"] as? String }
                == ["DPDK", "IOMMU", "modules", "hugepages by node", "hugetlbfs", "isolated cores", "NUMA"])
        let devices = try #require(all["devices"] as? [[String: Any]])
        #expect(devices.count == PCINetworkDevice.all().count)
        for device in devices {
            #expect(Set(["facts", "findings", "isInUse", "verdict"]).isSubset(of: device.keys))
            let address = try #require((device["facts"] as? [String: Any])?["address"] as? String)
            let (code, one) = try report(address)
            #expect((one["devices"] as? [[String: Any]])?.count == 1)
            #expect((code == 69) == (device["verdict"] as? String == "impossible"))
            // It is the same without the domain.
            #expect(
                try report(String(address.dropFirst(5))).1["devices"] as? NSArray == one["devices"]
                    as? NSArray)
        }
        #expect(try report("lo").1["devices"] as? NSArray == [])
    }

    @Test func `a card that is not there ends with 66 and names those that are`() throws {
        let run = try apus("doctor", "ffff:ff:1f.7")
        #expect(run.code == 66 && run.output == "")
        #expect(run.errors.hasPrefix("apus doctor: there is no network card at ffff:ff:1f.7; there "))
    }
}
