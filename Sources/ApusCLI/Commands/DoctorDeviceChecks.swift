import Apus

extension DeviceDiagnosis {
    init(_ device: PCINetworkDevice, _ facts: DoctorDPDKFacts, on host: HostFacts) {
        self.facts = device
        let users = device.interfaces.compactMap { name in facts.access[name].map { (name, $0) } }
        isInUse = !users.isEmpty
        // Before the commands that would do it.
        findings =
            device.isReadyForDPDK
            ? []
            : users.map { name, reason in
                Finding(
                    "in use", .degraded,
                    "\(name.printable) carries \(reason): binding it away cuts you off from this host")
            }
        findings.append(Self.binding(device, facts))
        if let group = Self.group(device, facts) { findings.append(group) }
        findings.append(Self.place(device, facts, host))
        verdict =
            findings.contains { $0.level == .impossible }
            ? .impossible : findings.contains { $0.level == .degraded } ? .degraded : .ok
    }

    /// Which driver has it, and how to give it to one that lets DPDK have it.
    private static func binding(_ device: PCINetworkDevice, _ facts: DoctorDPDKFacts) -> Finding {
        let driver = device.driver ?? "no driver"
        if let shared = device.driver, PCINetworkDevice.sharedDrivers.contains(shared) {
            return Finding("driver", .ok, "\(shared), beside which DPDK has it: leave it bound")
        }
        guard !device.isReadyForDPDK else {
            return Finding(
                "driver", .ok,
                "\(driver): DPDK can have it"
                    + (driver == "vfio-pci" ? "" : ", as root and without an IOMMU's protection"))
        }
        guard let target = target(facts.dpdk) else {
            return Finding("driver", .impossible, "\(driver), and this kernel has no VFIO and no UIO")
        }
        let text = device.driver == nil ? "none" : "\(driver): the kernel has it, and DPDK can't"
        let commands = bindCommands(device.address, to: target, from: device.driver, facts.dpdk)
        return Finding(
            "driver", .degraded, text, remedy: commands.first, alternatives: Array(commands.dropFirst()))
    }

    /// The module to bind to: VFIO wherever it is.
    private static func target(_ facts: DPDKHostFacts) -> String? {
        DPDKHostFacts.moduleNames.first { (facts.modules[$0] ?? .missing) != .missing }
    }

    /// The same three ways: by the kernel's files alone, by DPDK's script, and so that it is so after each boot.
    static func bindCommands(
        _ address: String, to target: String, from driver: String?, _ facts: DPDKHostFacts
    ) -> [String] {
        let folder = "/sys/bus/pci/devices/\(address)"
        let load = facts.modules[target] == .loaded ? "" : "modprobe \(target) && "
        let files =
            load + "echo \(target) > \(folder)/driver_override && "
            + (driver == nil ? "" : "echo \(address) > \(folder)/driver/unbind && ")
            + "echo \(address) > /sys/bus/pci/drivers_probe"
        let script = load + "dpdk-devbind.py --bind=\(target) \(address)"
        return (facts.hasDevbind ? [script, files] : [files, script]) + [
            "driverctl set-override \(address) \(target)  # lasts over boots"
                + (facts.hasDriverctl ? "" : "; apt-get install driverctl")
        ]
    }

    /// What has to go with it; nil where nothing has.
    private static func group(_ device: PCINetworkDevice, _ facts: DoctorDPDKFacts) -> Finding? {
        if let driver = device.driver, PCINetworkDevice.sharedDrivers.contains(driver) { return nil }
        guard let group = device.iommuGroup else {
            guard device.driver == "vfio-pci" else { return nil }
            return Finding("IOMMU group", .degraded, "none: it may write to any memory of this host")
        }
        let others = device.groupMembers.filter { !$0.isBridge }
        let foreign = others.filter { $0.driver != nil && $0.driver != "vfio-pci" }
        if let first = foreign.first {
            let list = foreign.map { "\($0.address) (\($0.driver ?? ""))" }.joined(separator: ", ")
            let commands = bindCommands(first.address, to: "vfio-pci", from: first.driver, facts.dpdk)
            return Finding(
                "IOMMU group", .degraded,
                "\(group), and with it \(list): VFIO gives a group only as a whole, so these must go too",
                remedy: commands.first)
        }
        guard device.driver == "vfio-pci", device.mayOpenGroup != true else {
            return Finding(
                "IOMMU group", .ok, "\(group)" + (others.isEmpty ? ", its own" : ", all of it bound"))
        }
        return Finding(
            "IOMMU group", .degraded,
            "\(group)"
                + (device.mayOpenGroup == nil
                    ? ", which has no file /dev/vfio/\(group)"
                    : ", and this process may not open /dev/vfio/\(group)"),
            remedy: device.mayOpenGroup == nil ? nil : "chown USER /dev/vfio/\(group)")
    }

    /// Where it is, what cores are there, and whether there is memory.
    private static func place(
        _ device: PCINetworkDevice, _ facts: DoctorDPDKFacts, _ host: HostFacts
    ) -> Finding {
        guard let id = device.node, let node = host.nodes.first(where: { $0.id == id }) else {
            return Finding("NUMA node", .ok, "unknown, as on hosts with one")
        }
        var text = "\(id): take cores of \(HostDiagnosis.ranges(node.cpus)) for its workers"
        let isolated = node.cpus.filter { host.isolatedCPUs.contains($0) }
        if !host.isolatedCPUs.isEmpty {
            text +=
                isolated.isEmpty
                ? ", of which none is isolated" : ", isolated \(HostDiagnosis.ranges(isolated))"
        }
        let far = facts.dpdk.distances.first { $0.node == id }?.distances ?? []
        if far.count > 1 {
            text += "; distances to the nodes: \(far.map(String.init).joined(separator: " "))"
        }
        let pages = facts.dpdk.hugepages.filter { $0.node == id }
        guard !pages.isEmpty, !pages.contains(where: { $0.free > 0 }) else {
            return Finding("NUMA node", .ok, text)
        }
        return Finding(
            "NUMA node", .degraded, "\(text); no huge page is free there",
            remedy: DPDKDiagnosis.hugepageCommand(on: id, facts.dpdk))
    }
}
