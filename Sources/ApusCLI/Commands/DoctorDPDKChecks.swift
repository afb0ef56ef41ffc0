import Apus

extension DPDKDiagnosis {
    init(_ facts: DoctorDPDKFacts, on host: HostFacts) {
        self.facts = facts.dpdk
        isolatedCPUs = host.isolatedCPUs
        hugepageMounts = host.hugepageMounts
        findings = [
            facts.library, Self.iommu(facts.dpdk, host), Self.modules(facts.dpdk),
            Self.hugepages(facts.dpdk, facts.devices), Self.mounts(host), Self.cores(facts.dpdk, host),
            Self.nodes(facts.dpdk, host),
        ]
    }

    private static func iommu(_ facts: DPDKHostFacts, _ host: HostFacts) -> Finding {
        let name = "IOMMU"
        if facts.hasIOMMU {
            let units = facts.iommus.isEmpty ? "" : " (\(facts.iommus.joined(separator: ", ")))"
            return Finding(
                name, .ok, "on, with \(facts.iommuGroups) group\(facts.iommuGroups == 1 ? "" : "s")\(units)")
        }
        if facts.unsafeNoIOMMUMode == true {
            return Finding(
                name, .degraded,
                "none, and VFIO works without (enable_unsafe_noiommu_mode): a card may write to any memory, and opening "
                    + "it takes CAP_SYS_RAWIO",
                remedy: bootCommand(iommuParameters(facts, host), effect: nil))
        }
        let isGiven = facts.kernelParameters.contains { $0.hasSuffix("iommu=on") || $0 == "iommu=pt" }
        return Finding(
            name, .degraded,
            (isGiven
                ? "none, though the kernel's command line asks for it: switch it on in the firmware (VT-d, AMD-Vi)"
                : "none: switch it on in the firmware (VT-d, AMD-Vi, SMMU) and on the kernel's command line")
                + "; without one VFIO works only in its unsafe mode",
            remedy: isGiven ? nil : bootCommand(iommuParameters(facts, host), effect: nil),
            alternatives: noIOMMUCommands(facts))
    }

    /// What lets VFIO work without an IOMMU, where VFIO is there.
    private static func noIOMMUCommands(_ facts: DPDKHostFacts) -> [String] {
        switch facts.modules["vfio-pci"] ?? .missing {
        case .loaded: ["echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"]
        case .available: ["modprobe vfio enable_unsafe_noiommu_mode=1"]
        case .missing: []
        }
    }

    private static func iommuParameters(_ facts: DPDKHostFacts, _ host: HostFacts) -> String {
        if host.architecture == "aarch64" { return "iommu.passthrough=1" }
        return facts.cpuVendor == "GenuineIntel" ? "intel_iommu=on iommu=pt" : "iommu=pt"
    }

    /// Adds parameters to the kernel's command line, as Debian has it; for the next boot.
    static func bootCommand(_ parameters: String, effect: String?) -> String {
        "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&\(parameters) /' /etc/default/grub && update-grub"
            + (effect.map { "  # \($0)" } ?? "")
    }

    private static func modules(_ facts: DPDKHostFacts) -> Finding {
        let texts = DPDKHostFacts.moduleNames.map { name in
            let state = facts.modules[name] ?? .missing
            return "\(name) \(state == .available ? "not loaded" : state.rawValue)"
        }
        let text = texts.joined(separator: ", ")
        switch facts.modules["vfio-pci"] ?? .missing {
        case .loaded: return Finding("modules", .ok, text)
        case .available:
            return Finding(
                "modules", .degraded, text, remedy: "modprobe vfio-pci",
                alternatives: ["echo vfio-pci > /etc/modules-load.d/vfio-pci.conf"])
        case .missing:
            switch facts.modules["uio_pci_generic"] ?? .missing {
            case .loaded: return Finding("modules", .degraded, "\(text): UIO needs root, and no IOMMU")
            case .available:
                return Finding(
                    "modules", .degraded, "\(text): UIO needs root, and no IOMMU",
                    remedy: "modprobe uio_pci_generic")
            case .missing:
                return Finding(
                    "modules", .impossible,
                    "\(text): this kernel gives no program a card; take one with CONFIG_VFIO_PCI")
            }
        }
    }

    private static func hugepages(_ facts: DPDKHostFacts, _ devices: [PCINetworkDevice]) -> Finding {
        let name = "hugepages by node"
        let sizes = facts.hugepages.filter { $0.total > 0 }
        var text = sizes.map {
            "node \($0.node): \($0.free) of \($0.total) free of \(Units.bytes($0.pageSize))"
        }
        .joined(separator: "; ")
        if text.isEmpty { text = "none" }
        let lacking = nodesWithoutPages(facts, devices)
        if lacking.isEmpty, sizes.contains(where: { $0.free > 0 }) { return Finding(name, .ok, text) }
        let nodes = Set(facts.hugepages.map(\.node))
        // The kernel spreads them over the nodes.
        let pages = hugepages(on: nodeToMend(facts, devices), facts) * max(1, nodes.count)
        return Finding(
            name, .degraded,
            text + (lacking.isEmpty ? "" : "; none is free on node \(lacking[0]), where a card is"),
            remedy: hugepageCommand(facts, devices),
            alternatives: [bootCommand("hugepages=\(pages)", effect: "on all nodes alike, at the next boot")])
    }

    /// The nodes of cards that have no free page. Where there is no card, or nobody knows where it is, any node will do.
    private static func nodesWithoutPages(_ facts: DPDKHostFacts, _ devices: [PCINetworkDevice]) -> [Int] {
        let nodes = Set(facts.hugepages.map(\.node))
        return Set(devices.compactMap(\.node)).intersection(nodes).sorted().filter { node in
            !facts.hugepages.contains { $0.node == node && $0.free > 0 }
        }
    }

    private static func nodeToMend(_ facts: DPDKHostFacts, _ devices: [PCINetworkDevice]) -> Int {
        nodesWithoutPages(facts, devices).first ?? facts.hugepages.map(\.node).min() ?? 0
    }

    /// Sets pages aside where they are needed most: the same for every check that finds none.
    static func hugepageCommand(_ facts: DPDKHostFacts, _ devices: [PCINetworkDevice]) -> String {
        hugepageCommand(on: nodeToMend(facts, devices), facts)
    }

    /// How many pages of 2 MiB a node shall have: 1 GiB besides those that are in use.
    private static func hugepages(on node: Int, _ facts: DPDKHostFacts) -> Int {
        let has = facts.hugepages.first { $0.node == node && $0.pageSize == 2 << 20 }
        return (has.map { $0.total - $0.free } ?? 0) + 512
    }

    /// Sets them aside.
    static func hugepageCommand(on node: Int, _ facts: DPDKHostFacts) -> String {
        let total = hugepages(on: node, facts)
        guard Set(facts.hugepages.map(\.node)).count > 1 else { return "sysctl -w vm.nr_hugepages=\(total)" }
        return "echo \(total) > /sys/devices/system/node/node\(node)/hugepages/hugepages-2048kB/nr_hugepages"
    }

    private static func mounts(_ host: HostFacts) -> Finding {
        let mounts = host.hugepageMounts.map { mount in
            mount.path + (mount.pageSize.map { " (\(Units.bytes($0)))" } ?? "")
        }
        guard mounts.isEmpty else { return Finding("hugetlbfs", .ok, mounts.joined(separator: ", ")) }
        return Finding(
            "hugetlbfs", .ok, "not mounted, and Apus needs none unless \"dpdk.hugepageDirectory\" names it")
    }

    private static func cores(_ facts: DPDKHostFacts, _ host: HostFacts) -> Finding {
        let name = "isolated cores"
        guard host.isolatedCPUs.isEmpty else {
            let ticking = host.isolatedCPUs.filter { !facts.noHzFullCPUs.contains($0) }
            let list = HostDiagnosis.ranges(host.isolatedCPUs)
            guard !ticking.isEmpty else { return Finding(name, .ok, "\(list), without the timer's ticks") }
            let cores = HostDiagnosis.ranges(host.isolatedCPUs).filter { $0 != " " }
            return Finding(
                name, .degraded, "\(list); the timer interrupts \(HostDiagnosis.ranges(ticking))",
                remedy: bootCommand("nohz_full=\(cores) rcu_nocbs=\(cores)", effect: nil))
        }
        let text = "none, so that other threads and interrupts come between a worker and its packets"
        // The upper half of each node; the first core of a host always has other work.
        let half = host.nodes.flatMap { $0.cpus.sorted().suffix($0.cpus.count / 2) }.sorted()
        guard half.count > 0, host.onlineCPUs.count > 2 else {
            return Finding(
                name, .degraded, "\(text); \(host.onlineCPUs.count) cores are too few to spare one")
        }
        let cores = HostDiagnosis.ranges(half).filter { $0 != " " }
        return Finding(
            name, .degraded, text,
            remedy: bootCommand("isolcpus=\(cores) nohz_full=\(cores) rcu_nocbs=\(cores)", effect: nil))
    }

    private static func nodes(_ facts: DPDKHostFacts, _ host: HostFacts) -> Finding {
        let texts = host.nodes.map { node in
            let distances = facts.distances.first { $0.node == node.id }?.distances ?? []
            let text = "node \(node.id): cores \(HostDiagnosis.ranges(node.cpus))"
            return distances.count < 2
                ? text : text + ", distances \(distances.map(String.init).joined(separator: " "))"
        }
        return Finding("NUMA", .ok, texts.joined(separator: "; "))
    }
}
