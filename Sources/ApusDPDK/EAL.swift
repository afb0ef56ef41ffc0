import ApusDevices
import ApusRings
import CDPDK
import CLinux
import Glibc
import Synchronization

/// DPDK's environment abstraction layer, once a process: its memory, its devices, its threads.
///
/// Opening the first ``DPDKInterface`` starts it, or ``start(_:)`` before that; a program that does neither never starts it.
/// Signals, locale and the standard streams stay as they are; what it logs goes to ``EALLog``.
public enum EAL {
    private enum State {
        case idle
        case running(EALOptions, Pages)
        case failed(DPDKError)
        case stopped
    }

    /// Which pages were asked for, which it got, and why not others.
    struct Pages {
        var requested = HugePages.preferred
        var isHuge = false
        var reason: String?
        /// Without hugepages, all memory there will be, in MiB.
        var megabytes = 0
    }

    private static let state = Mutex(State.idle)

    /// The version of DPDK that runs: `DPDK 22.11.11`.
    public static var version: String { unsafe String(cString: apus_dpdk_version()) }

    /// The folder of the poll-mode drivers, which are libraries of their own.
    public static var driverFolder: String { unsafe String(cString: apus_dpdk_drivers()) }

    /// Starts it; nothing when it runs with these options.
    public static func start(_ options: EALOptions = EALOptions()) throws(DPDKError) {
        let failure: DPDKError? = state.withLock { state in
            switch state {
            case .idle: break
            case .running(let running, _):
                return running == options ? nil : DPDKError("DPDK", .startedOtherwise)
            case .failed(let error): return error
            case .stopped: return DPDKError("DPDK", .stopped)
            }
            do throws(DPDKError) {
                state = .running(options, try begin(options))
                return nil
            } catch {
                // What was found out before DPDK was called can be mended and tried again.
                if error.isFinal { state = .failed(error) }
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Whether it was started and runs.
    public static var isRunning: Bool {
        state.withLock { if case .running = $0 { true } else { false } }
    }

    /// Stops it, which is an error while devices are open or packets held that lie in its memory; nothing when it does not run. It can't be started again.
    public static func stop() throws(DPDKError) {
        let failure: DPDKError? = state.withLock { state in
            guard case .running = state else { return nil }
            let (open, held) = (devices.load(ordering: .acquiring), MbufMemory.retiredCount)
            guard open + held == 0 else { return DPDKError("DPDK", .inUse(devices: open, pools: held)) }
            apus_eal_stop()
            state = .stopped
            return nil
        }
        if let failure { throw failure }
    }

    /// How many devices are open.
    static let devices = Atomic<Int>(0)

    /// Waits until no other thread opens or closes a device: DPDK's lists of them have no locks.
    static func beginChange() { unsafe pthread_mutex_lock(&turn) }
    /// Lets the next one.
    static func endChange() { unsafe pthread_mutex_unlock(&turn) }
    nonisolated(unsafe) private static var turn = unsafe pthread_mutex_t()

    /// The pages it got; `nil` while it does not run.
    static var pages: Pages? {
        state.withLock { if case .running(_, let pages) = $0 { pages } else { nil } }
    }

    /// Starts it if it does not run yet.
    static func ensureStarted() throws(DPDKError) {
        if !isRunning { try start() }
    }

    private static func begin(_ options: EALOptions) throws(DPDKError) -> Pages {
        try EALArguments.check(options.extra)
        for device in options.allow { try checkAllowed(device) }
        let core = try core(options)
        let pages = try pages(options)
        var arguments = ["apus", "--no-telemetry", "--file-prefix", options.filePrefix, "-l", "\(core)"]
        // Nothing is left behind in the file system: no files of hugepages, no socket for further processes.
        if !pages.isHuge {
            arguments += ["--no-huge", "--no-shconf", "-m", "\(pages.megabytes)"]
        } else if let folder = options.hugePageDirectory {
            arguments += ["--huge-dir", folder, "--huge-unlink=always", "--no-shconf"]
        } else {
            arguments.append("--in-memory")
        }
        if pages.isHuge, let memory = options.memory { arguments += ["-m", "\(memory)"] }
        // No device but those that are asked for is taken up: the list of those allowed has one that there isn't.
        arguments += ["-a", "ffff:ff:1f.7"] + options.allow.flatMap { ["-a", $0] }
        arguments += options.virtualDevices.flatMap { ["--vdev", $0] } + options.extra
        let lines = EALLog.collecting { start(arguments) }
        guard lines.result == 0 else {
            throw DPDKError("DPDK", .notStarted(code: -lines.result, log: lines.log))
        }
        return pages
    }

    private static func start(_ arguments: [String]) -> Int32 {
        // They stay for good: DPDK keeps pointers to some.
        let strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: arguments.count + 1)
        for (position, argument) in arguments.enumerated() { unsafe strings[position] = strdup(argument) }
        unsafe strings[arguments.count] = nil
        return unsafe apus_eal_start(Int32(arguments.count), strings) { level, line in
            guard let line = unsafe line else { return }
            EALLog.take(level: level, unsafe String(cString: line))
        }
    }

    /// Looks at a device that is to be allowed: DPDK says nothing of one that it does not find.
    private static func checkAllowed(_ text: String) throws(DPDKError) {
        let device = try DPDKDevice.named(text)
        guard case .pci = device else {
            throw DPDKError(
                "DPDK",
                .badArgument(
                    "--allow \(text)", reason: "it is about devices on PCI; --vdev makes virtual ones"))
        }
        try device.check(text)
    }

    /// The core of its thread, which must be one of those that this process may use.
    private static func core(_ options: EALOptions) throws(DPDKError) -> Int {
        let allowed = (0..<1024).filter { apus_may_run_on(Int32($0)) }
        guard let first = allowed.first else { return options.core ?? 0 }
        guard let core = options.core else { return first }
        guard allowed.contains(core) else { throw DPDKError("DPDK", .noSuchCore(core, allowed: allowed)) }
        return core
    }

    /// Whether it gets hugepages.
    private static func pages(_ options: EALOptions) throws(DPDKError) -> Pages {
        if options.hugePages == .never { return try normalPages(options, Pages(requested: .never)) }
        if let folder = options.hugePageDirectory { try check(folder) }
        let wanted = options.memory ?? 64
        let free = HugePageCount.freeMegabytes
        if free >= wanted { return Pages(requested: options.hugePages, isHuge: true) }
        if options.hugePages == .required {
            throw DPDKError("DPDK", .noHugePages(.ofHugepages(wanted)))
        }
        let reason = "\(free) MiB of hugepages are free, \(wanted) are wanted; vm.nr_hugepages reserves them"
        return try normalPages(options, Pages(reason: reason))
    }

    /// With as much memory as was asked for, in normal pages: of more than there is DPDK would die when it comes to use it.
    private static func normalPages(_ options: EALOptions, _ pages: Pages) throws(DPDKError) -> Pages {
        var pages = pages
        pages.megabytes = EALOptions.normalMegabytes(options.memory)
        if let free = HostMemory.availableMegabytes, free < pages.megabytes {
            throw DPDKError("DPDK", .tooMuchMemory(wanted: pages.megabytes, free: free))
        }
        return pages
    }

    /// Looks at where hugepages are to be mounted: DPDK would only say that it has got none.
    private static func check(_ folder: String) throws(DPDKError) {
        guard unsafe apus_is_hugetlbfs(folder) else { throw DPDKError("DPDK", .notHugetlbfs(folder)) }
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw DPDKError("DPDK", .hugetlbfsNotWritable(folder))
        }
    }
}
