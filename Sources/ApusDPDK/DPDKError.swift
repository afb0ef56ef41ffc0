public import ApusDevices
import Glibc

/// Why a port could not be opened over DPDK, or why DPDK did not start: the device, the cause and the way out.
public struct DPDKError: Error, Hashable, Sendable {
    /// What stood in the way.
    public enum Cause: Hashable, Sendable {
        /// Neither a PCI address nor a virtual device, or one that its driver does not make.
        case badName(DPDKDeviceRefusal)
        /// The kernel has no interface of the name that a virtual device is to be over; those that it has.
        case noSuchInterface(String, existing: [String])
        /// No PCI device with that address; the network devices that there are.
        case noSuchDevice(existing: [String])
        /// A driver of the kernel has the device.
        case heldByKernel(driver: String)
        /// No driver has the device, not even one that would give it to a program.
        case unbound
        /// This process has a port over it already.
        case alreadyOpen
        /// No driver of DPDK took it up.
        case notTaken(code: Int32, log: [String])
        /// A step of setting it up failed.
        case notSetUp(step: String, code: Int32, log: [String])
        /// It can't have so many queues.
        case tooManyQueues(wanted: Int, most: Int)
        /// No such queue.
        case noSuchQueue(Int, queues: Int)
        /// There is a port over the queue, or was one that was dropped on a thread other than its own.
        case queueBusy(Int)
        /// A number that it can't have.
        case badSize(String)
        /// There is no memory for its frames.
        case noMemory(frames: Int, megabytes: Int, code: Int32)
        /// An argument for DPDK that it does not take, or that is not for programs.
        case badArgument(String, reason: String)
        /// DPDK was to be stopped while devices are open, or packets are held of so many queues that were closed.
        case inUse(devices: Int, pools: Int)
        /// DPDK runs with other options.
        case startedOtherwise
        /// DPDK was stopped, and starts once a process.
        case stopped
        /// DPDK did not start.
        case notStarted(code: Int32, log: [String])
        /// The core is not one that this process may use.
        case noSuchCore(Int, allowed: [Int])
        /// Hugepages were required; in MiB.
        case noHugePages(wanted: Int, free: Int)
    }

    /// The device, as it was named; or `DPDK`.
    public let device: String
    /// What stood in the way.
    public let cause: Cause

    init(_ device: String, _ cause: Cause) { (self.device, self.cause) = (device, cause) }

    /// Whether DPDK can't be started again after it.
    var isFinal: Bool { if case .notStarted = cause { true } else { false } }
}

extension DPDKError: CustomStringConvertible {
    /// The device, the cause and the way out.
    public var description: String { "\(device): \(explanation)" }

    private var explanation: String {
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
            the kernel's driver \(driver) has it; give it to DPDK with: modprobe vfio-pci; \
            dpdk-devbind.py --bind=vfio-pci \(address) (the kernel loses the interface then)
            """
        case .unbound:
            "no driver has it; give it to DPDK with: modprobe vfio-pci; dpdk-devbind.py --bind=vfio-pci \(address)"
        case .alreadyOpen: "this process has a port over it already"
        case .notTaken(let code, let log):
            "no driver of DPDK took it up (\(Self.text(code)))\(Self.text(log))"
        case .notSetUp(let step, let code, let log): "\(step): \(Self.text(code))\(Self.text(log))"
        case .tooManyQueues(let wanted, let most): "it has \(most) queues at most, not \(wanted)"
        case .noSuchQueue(let queue, let queues):
            "there is no queue \(queue); it has \(queues), numbered from 0"
        case .queueBusy(let queue): "queue \(queue) is open already"
        case .badSize(let text): text
        case .noMemory(let frames, let megabytes, let code):
            """
            no memory for \(frames) frames, \(megabytes) MiB (\(Self.text(code))); reserve \((megabytes + 1) / 2) more \
            hugepages with sysctl -w vm.nr_hugepages, or without any start DPDK with more memory
            """
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
        case .noHugePages(let wanted, let free):
            """
            \(wanted) MiB of hugepages are needed and \(free) are free; \
            reserve them with: sysctl -w vm.nr_hugepages=\((wanted + 1) / 2)
            """
        }
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

    private static func text(_ log: [String]) -> String {
        var said: Set<String> = []
        let lines = log.filter { said.insert($0).inserted }
        return lines.isEmpty ? "" : "; DPDK says: \(lines.joined(separator: "; "))"
    }
}
