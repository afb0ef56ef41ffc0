import ApusConfig
import ApusHost
import ApusRings
import ApusWire
import CLinux

/// What the ports and the workers ask of the host.
extension HostCheck {
    /// Notes what no port can have, before any is opened.
    func checkPorts(_ names: [String]) {
        let listed = Set(configuration.interfaces.map(\.name))
        // Without a list they were looked at already, and where all is listed they are not used.
        if !listed.isEmpty, names.contains(where: { !listed.contains($0) }) {
            configuration.validateDefaults(report)
        }
        checkFrames(names)
        checkSharedFrames(names)
    }

    /// Notes what this host has too little of: queues and cores; and devices that DPDK can't have.
    func checkMeans(_ names: [String]) {
        checkQueues(names)
        checkDevices(names, areMissing: false)
        checkDPDK()
        for (index, cpu) in (configuration.workers.cpus ?? []).enumerated() {
            checkCore(cpu, at: configuration.workers.map["cpus", index])
        }
    }

    private func checkCore(_ cpu: Int, at place: ConfigurationLocation) {
        guard !apus_may_run_on(Int32(cpu)) else { return }
        report.add(
            "this process can't run on core \(cpu); `nproc --all` counts those there are, and "
                + "`taskset -cp` shows those it may use", at: place)
    }

    /// Notes what of DPDK's settings this host has not got.
    private func checkDPDK() {
        let (dpdk, devices) = (configuration.dpdk, configuration.interfaces.filter { $0.port.dpdk != nil })
        // It is not started where no interface is its.
        guard !devices.isEmpty else { return }
        if let core = dpdk.mainCore { checkCore(core, at: dpdk.map["mainCore"]) }
        if let refusal = OpenDevice.memoryRefusal(dpdk, devices) {
            let isWritten = dpdk.map["memory"] != .unknown
            report.add(
                refusal.text,
                at: isWritten ? dpdk.map["memory"] : refusal.device?.port.map["frames"] ?? .unknown)
        }
    }

    /// Notes the devices for DPDK that are not there, or those that are and can't be had.
    func checkDevices(_ names: [String], areMissing: Bool) {
        for interface in configuration.interfaces where names.contains(interface.name) {
            guard let device = interface.port.dpdk?.device, let trouble = OpenDevice.trouble(with: device),
                trouble.isMissing == areMissing
            else { continue }
            report.add(trouble.text, at: interface.map["name"])
        }
        // DPDK is not started where no interface is its.
        guard configuration.interfaces.contains(where: { $0.port.dpdk != nil }) else { return }
        for (index, text) in configuration.dpdk.allow.enumerated() {
            guard let device = try? DPDKDevice(text), let trouble = OpenDevice.trouble(with: device),
                trouble.isMissing == areMissing
            else { continue }
            report.add(trouble.text, at: configuration.dpdk.map["allow", index])
        }
    }

    private func checkQueues(_ names: [String]) {
        // Those of a device that DPDK has are told when it is opened.
        for name in names where configuration.port(on: name).backend != .dpdk {
            let port = configuration.port(on: name)
            let queues = OpenInterfaces.receiveQueues(of: name)
            guard let wanted = port.queues, wanted != queues else { continue }
            report.add(
                "\(name) has \(queues) receive queue\(queues == 1 ? "" : "s"), and \(wanted) are asked for; "
                    + "`ethtool -L \(name) combined \(wanted)` (or rx) changes it where the driver can",
                at: port.map["queues"])
        }
    }

    /// How many frames a memory can have, and how many the ports on it need.
    private func checkFrames(_ names: [String]) {
        var shared = 0
        for name in names where configuration.port(on: name).backend != .dpdk {
            let port = configuration.port(on: name)
            // Those of AF_XDP may share a memory; each of AF_PACKET has its own.
            let workers = OpenInterfaces.workerCount(names, configuration, host)
            // Workers without a queue have frames, too.
            let queues =
                port.backend == .packet ? workers : max(workers, OpenInterfaces.receiveQueues(of: name))
            let frames = queues * port.framesPerQueue
            if port.backend != .packet { shared += frames }
            let total = port.backend == .packet ? frames : shared
            guard total > FrameMemory.maximumFrames else { continue }
            report.add(
                "\(name): \(queues) × \(port.framesPerQueue) frames"
                    + (total > frames ? ", and those of the interfaces before," : "")
                    + " are \(total), and a memory has \(FrameMemory.maximumFrames) at most; write a smaller "
                    + "\(port.map.name(of: "ringSize")) or \(port.map.name(of: "frames"))",
                at: port.map[port.frames == nil ? "ringSize" : "frames"])
            return
        }
    }

    /// Notes what interfaces would have to share that asks for different values: those that may get AF_XDP have one
    /// memory together, and the kernel gives all sockets over it the copy mode of the first.
    private func checkSharedFrames(_ names: [String]) {
        let sharing = names.filter { configuration.port(on: $0).backend.mayBeXDP }
        guard let first = sharing.first else { return }
        let one = configuration.port(on: first)
        for name in sharing.dropFirst() {
            let other = configuration.port(on: name)
            func check(_ key: String, _ value: String, _ first: (name: String, value: String)) {
                guard value != first.value else { return }
                report.add(
                    "\(first.name) and \(name) share their frames, and different values are asked for: "
                        + "\(other.map.name(of: key)) is \(value) for \(name) and \(first.value) for \(first.name); "
                        + "write the same for both, or backend: \"packet\" for one of them",
                    at: place(of: key, other),
                    notes: [.init("\(first.value) is asked for \(first.name) here", at: place(of: key, one))])
            }
            check("frameSize", "\(other.frameSize)", (first, "\(one.frameSize)"))
            check("hugepages", "\"\(other.hugepages.rawValue)\"", (first, "\"\(one.hugepages.rawValue)\""))
            // Of "auto" and "require" the second says the more; whether it can be had the kernel tells.
            guard (one.zeroCopy == .never) != (other.zeroCopy == .never) else { continue }
            check("zeroCopy", "\"\(other.zeroCopy.rawValue)\"", (first, "\"\(one.zeroCopy.rawValue)\""))
        }
    }

    /// Where a setting was written, if anywhere: with the interface, or with the defaults.
    private func place(of key: String, _ port: PortConfiguration) -> ConfigurationLocation {
        let inherited = configuration.defaults.map
        return port.map[key] == port.map.whole && inherited[key] != inherited.whole
            ? inherited[key] : port.map[key]
    }
}
