import ApusConfig
import ApusHost
import ApusRings
import ApusWire
import CLinux

/// What the ports and the workers ask of the host.
extension HostCheck {
    /// Notes what the interfaces and the workers can't be given, before any of it is asked for.
    func checkPorts(_ names: [String]) {
        checkQueues(names)
        checkFrames(names)
        for (index, cpu) in (configuration.workers.cpus ?? []).enumerated() where !apus_may_run_on(Int32(cpu))
        {
            report.add(
                "this process can't run on core \(cpu); `nproc --all` counts those there are, and "
                    + "`taskset -cp` shows those it may use", at: configuration.workers.map["cpus", index])
        }
    }

    private func checkQueues(_ names: [String]) {
        for name in names {
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
        for name in names {
            let port = configuration.port(on: name)
            // Those of AF_XDP may share a memory; each of AF_PACKET has its own.
            let queues =
                port.backend == .packet
                ? OpenInterfaces.workerCount(names, configuration, host)
                : OpenInterfaces.receiveQueues(of: name)
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
}
