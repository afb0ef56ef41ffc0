import ApusDevices
import ApusHost
import Glibc

extension DPDKError: CustomStringConvertible {
    /// The device, the cause and the way out.
    public var description: String { description(.program) }

    /// The same, with the names that settings have for the reader.
    package func description(_ names: SettingNames) -> String { "\(device): \(explanation(names))" }

    private func explanation(_ names: SettingNames) -> String {
        switch cause {
        case .badName(let refusal): Self.text(refusal)
        case .noSuchInterface(let name, let existing):
            "there is no interface \(name) for it; the kernel has: \(existing.joined(separator: ", "))"
        case .noSuchDevice(let existing):
            "there is no such PCI device; "
                + (existing.isEmpty
                    ? "this host has no network device on PCI"
                    : "network devices: \(existing.joined(separator: ", "))")
        case .heldByKernel(let driver):
            """
            the kernel's driver \(driver) has it; `apus doctor \(address)` prints the commands that give it to DPDK (the kernel \
            loses the interface then)
            """
        case .unbound:
            "no driver has it; `apus doctor \(address)` prints the commands that give it to DPDK"
        case .alreadyOpen: "this process has a port over it already"
        case .notTaken(let code, let log):
            "no driver of DPDK took it up\(Self.isVague(code, log) ? "" : " (\(Self.text(code)))")\(Self.text(log))"
        case .notSetUp(let step, let code, let log):
            "\(step)\(Self.isVague(code, log) ? " failed" : ": \(Self.text(code))")\(Self.text(log))"
        case .tooManyQueues(let wanted, let most):
            "it has \(most) queue\(most == 1 ? "" : "s") at most, not \(wanted)"
        case .noSuchQueue(let queue, let queues):
            "there is no queue \(queue); it has \(queues), numbered from 0"
        case .queueBusy(let queue): "queue \(queue) is open already"
        case .badSize(let text): text
        case .interfaceInUse(let name, let user):
            """
            \(user) has a device of DPDK's over \(name) already, and each would get what is for the other; stop it, or take \
            another interface
            """
        case .notPermitted(let needed, let missing):
            """
            opening it takes \(Self.names(needed)), and this process lacks \(Self.names(missing)); run as root, or once: \
            \(Capability.grantCommand(needed))
            """
        case .noMemory(let frames, let shortage):
            "its \(frames) frames take \(shortage.wanted) MiB\(shortage.explanation(names))"
        case .badArgument(let argument, let reason): "the argument \(argument) can't be given: \(reason)"
        case .inUse(let devices, let pools):
            """
            \(devices) devices are open, and packets of \(pools) closed queues are held; close and drop them before it is \
            stopped
            """
        case .startedOtherwise: "it runs already, with other options; they are for the whole process"
        case .stopped: "it was stopped, and can't be started again in the same process"
        case .notStarted(let code, let log): "it did not start (\(Self.text(code)))\(Self.text(log))"
        case .noSuchCore(let core, let allowed):
            "core \(core) is not one that this process may use: \(allowed.map(String.init).joined(separator: ", "))"
        case .noHugePages(let shortage): "it takes \(shortage.wanted) MiB\(shortage.explanation(names))"
        case .tooMuchMemory(let wanted, let free):
            """
            \(wanted) MiB of memory are asked for, and this host has \(free) to give; ask for less by \
            \(names.memory)
            """
        case .notHugetlbfs(let folder):
            """
            \(folder) is no file system of hugepages; leave \(names.hugePageDirectory) out, as none is needed, or name one, such as of: mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages
            """
        case .hugetlbfsNotWritable(let folder):
            """
            this process may not write to \(folder), a file system of hugepages; leave \(names.hugePageDirectory) out, as none \
            is needed, or give its user the folder: chown USER \(folder)
            """
        }
    }

    private static func names(_ capabilities: [Capability]) -> String {
        capabilities.map(\.name).joined(separator: ", ")
    }

    /// The device without what its driver is told.
    private var address: Substring { device.prefix { $0 != "," } }

    private static func text(_ refusal: DPDKDeviceRefusal) -> String {
        let neither =
            "neither a PCI address such as 0000:03:00.0 nor a virtual device such as net_tap0,iface=tap0"
        switch refusal {
        case .neither: return neither
        case .notAddress(_, let meant): return "\(neither); is \(meant) meant?"
        case .notVirtual(let meant): return "\(neither); is \(meant) meant?"
        case .noDriver(let name, _, let nearest):
            return "DPDK has no driver \(name) for a virtual device"
                + (nearest.map { "; is \($0) meant?" }
                    ?? "; it has \(VirtualDriver.all.map(\.name).joined(separator: ", "))")
        case .nameTooLong: return "a virtual device has a name of at most 63 letters and digits"
        case .interfaceTooLong(let name):
            return "an interface has a name of at most 15 octets, which \(name) is not"
        case .emptyArgument(let example, let device):
            return "something has to follow a comma, as in \(device),\(example)"
        case .unknownArgument(let name, let driver, let nearest):
            return
                "\(driver.name) takes no argument \(name); \(nearest.map { "is \($0) meant? " } ?? "")it takes "
                + driver.arguments.joined(separator: ", ")
        case .missingArgument(let example, let driver, let device):
            return
                "\(driver.name) needs an argument \(example.prefix { $0 != "=" }), as in \(device),\(example)"
        }
    }

    private static func text(_ code: Int32) -> String {
        // strerror(3) gives a constant or the thread's own text, which is copied at once.
        unsafe String(cString: strerror(abs(code)))
    }

    /// Whether the code says nothing beside the log: drivers give -1, which is EPERM, for whatever it is.
    private static func isVague(_ code: Int32, _ log: [String]) -> Bool { abs(code) == EPERM && !log.isEmpty }

    private static func text(_ log: [String]) -> String {
        var said: Set<String> = []
        let lines = log.filter { said.insert($0).inserted }
        return lines.isEmpty ? "" : "; DPDK says: \(lines.joined(separator: "; "))"
    }
}
