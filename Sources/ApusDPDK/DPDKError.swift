public import ApusDevices
public import ApusHost
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
        /// Another process, or this one, has a device over the interface of the kernel's that this one is to be over.
        case interfaceInUse(String, by: String)
        /// The capabilities that opening it takes, and those of them that this process lacks.
        case notPermitted(needed: [Capability], missing: [Capability])
        /// There is no memory for its frames.
        case noMemory(frames: Int, MemoryShortage)
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
        /// Hugepages were required, or are for who asked for as much memory.
        case noHugePages(MemoryShortage)
        /// More memory was asked for than the host has; in MiB.
        case tooMuchMemory(wanted: Int, free: Int)
        /// There is no file system of hugepages in that folder.
        case notHugetlbfs(String)
        /// This process may not make files in the file system of hugepages.
        case hugetlbfsNotWritable(String)
    }

    /// The device, as it was named; or `DPDK`.
    public let device: String
    /// What stood in the way.
    public let cause: Cause

    init(_ device: String, _ cause: Cause) { (self.device, self.cause) = (device, cause) }

    /// Whether DPDK can't be started again after it.
    var isFinal: Bool { if case .notStarted = cause { true } else { false } }

    /// Where the device could not be had and this process lacks what that takes, that: DPDK's words tell of what failed, not why.
    func explained(by device: DPDKDevice, locking octets: Int) -> DPDKError {
        switch cause {
        case .notTaken, .notSetUp:
            guard let lack = device.missingCapabilities(locking: octets) else { return self }
            return DPDKError(self.device, .notPermitted(needed: lack.needed, missing: lack.missing))
        default: return self
        }
    }
}
