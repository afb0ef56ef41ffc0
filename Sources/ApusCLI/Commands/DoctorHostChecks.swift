import Apus

/// The facts about a host that the checks need; gathered once, so that hosts of other kinds can be tried.
struct DoctorFacts {
    var host: HostFacts
    var capabilities: Set<Capability>
    var hasXDPSockets: Bool
    var hasPacketSockets: Bool
    /// Bytes this process may lock without CAP_IPC_LOCK; nil without a limit.
    var lockedMemory: UInt64?
    /// Whether the kernel has BPF extension programs; nil where it does not tell.
    var hasExtensionPrograms: Bool?

    /// Asks the kernel. Changes nothing.
    static func current() -> DoctorFacts {
        DoctorFacts(
            host: .current(), capabilities: Capabilities.current().effective,
            hasXDPSockets: SocketFamily.xdp.isSupported, hasPacketSockets: SocketFamily.packet.isSupported,
            lockedMemory: HostFacts.currentLockedMemoryLimit,
            hasExtensionPrograms: ExtensionPrograms.areSupported)
    }

    /// Those that opening an interface with AF_XDP needs.
    static let xdpCapabilities: [Capability] = [.netAdmin, .netRaw, .bpf, .perfmon]

    /// Those of a list that this process lacks. CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON.
    func missing(_ wanted: [Capability]) -> [Capability] {
        let isMaster = capabilities.contains(.sysAdmin)
        return wanted.filter { !capabilities.contains($0) && !(isMaster && ($0 == .bpf || $0 == .perfmon)) }
    }

    /// Where libxdp looks for the BPF file system.
    static let bpfFileSystem = "/sys/fs/bpf"

    /// What keeps libxdp's dispatcher from being used, and the command that mends it; nil when nothing does.
    var dispatcherObstacle: (text: String, remedy: String?)? {
        if !host.kernel.isAtLeast(5, 10) { return ("the kernel is older than 5.10", nil) }
        if !host.hasBTF { return ("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)", nil) }
        if host.hasBPFJIT == false {
            return ("the BPF JIT is off", "sysctl -w net.core.bpf_jit_enable=1")
        }
        if hasExtensionPrograms == false { return ("the kernel refuses BPF extension programs", nil) }
        if !capabilities.contains(.sysAdmin) {
            return ("the kernel shows XDP programs only to a process with CAP_SYS_ADMIN", nil)
        }
        if !host.bpfFileSystems.contains(Self.bpfFileSystem) {
            return (
                "no BPF file system is mounted at \(Self.bpfFileSystem)",
                "mount -t bpf -o mode=0700 bpf \(Self.bpfFileSystem)"
            )
        }
        return nil
    }

    /// The bytes of frames that a queue locks, as `apus forward` asks for them.
    static let lockedBytesOfQueue = 8192 * 2048

    /// Whether this process may lock so many bytes.
    func mayLock(_ bytes: Int) -> Bool {
        capabilities.contains(.ipcLock) || lockedMemory.map { $0 >= UInt64(bytes) } ?? true
    }
}

extension HostDiagnosis {
    /// - Parameter hugepageCommand: what sets huge pages aside here.
    init(_ facts: DoctorFacts, hugepageCommand: String) {
        kernel = facts.host.kernel.release
        architecture = facts.host.architecture
        findings = [
            Self.kernel(facts), Self.capabilities(facts), Self.lockedMemory(facts), Self.types(facts),
            Self.compiler(facts), Self.fileSystem(facts), Self.dispatcher(facts),
            Self.hugepages(facts, hugepageCommand), Self.processors(facts),
        ]
    }

    private static func kernel(_ facts: DoctorFacts) -> Finding {
        let kernel = facts.host.kernel
        let name = "Linux \(kernel.release)"
        guard facts.hasXDPSockets else {
            return Finding(
                "kernel", facts.hasPacketSockets ? .degraded : .impossible,
                "\(name) has no AF_XDP sockets (CONFIG_XDP_SOCKETS, Linux 4.18)"
                    + (facts.hasPacketSockets ? "; AF_PACKET remains" : ", and no AF_PACKET either"))
        }
        let features = [
            ("need-wakeup", 5, 4), ("preferred busy polling", 5, 11), ("multi-buffer", 6, 6),
        ]
        let (has, lacks) = (
            features.filter { kernel.isAtLeast($0.1, $0.2) },
            features.filter { !kernel.isAtLeast($0.1, $0.2) }
        )
        let list = (["AF_XDP"] + has.map(\.0)).joined(separator: ", ")
        guard !lacks.isEmpty else { return Finding("kernel", .ok, "\(name): \(list)") }
        let missing = lacks.map { "\($0.0) (Linux \($0.1).\($0.2))" }.joined(separator: ", ")
        return Finding("kernel", .degraded, "\(name): \(list); without \(missing)")
    }

    private static func capabilities(_ facts: DoctorFacts) -> Finding {
        let missing = facts.missing(DoctorFacts.xdpCapabilities)
        guard !missing.isEmpty else {
            return Finding("capabilities", .ok, "all that AF_XDP and AF_PACKET need")
        }
        let canTap = !missing.contains(.netRaw)
        return Finding(
            "capabilities", canTap ? .degraded : .impossible,
            "without \(missing.map(\.name).joined(separator: ", "))"
                + (canTap ? ": AF_PACKET only" : ": neither AF_XDP nor AF_PACKET"),
            remedy: grantCommand)
    }

    /// All at once, as setcap replaces what was there.
    static var grantCommand: String { Capability.grantCommand(DoctorFacts.xdpCapabilities + [.ipcLock]) }

    private static func lockedMemory(_ facts: DoctorFacts) -> Finding {
        let name = "locked memory"
        if facts.capabilities.contains(.ipcLock) { return Finding(name, .ok, "unlimited by CAP_IPC_LOCK") }
        guard let limit = facts.lockedMemory else { return Finding(name, .ok, "unlimited") }
        let text = "\(Units.bytes(Int(clamping: limit))) (RLIMIT_MEMLOCK)"
        guard !facts.mayLock(DoctorFacts.lockedBytesOfQueue) else { return Finding(name, .ok, text) }
        return Finding(
            name, .degraded,
            "\(text), but AF_XDP locks \(Units.bytes(DoctorFacts.lockedBytesOfQueue)) for each queue",
            remedy: "ulimit -l unlimited")
    }

    private static func types(_ facts: DoctorFacts) -> Finding {
        facts.host.hasBTF
            ? Finding("BTF", .ok, "the kernel has its types in /sys/kernel/btf/vmlinux")
            : Finding("BTF", .degraded, "the kernel was built without CONFIG_DEBUG_INFO_BTF")
    }

    private static func compiler(_ facts: DoctorFacts) -> Finding {
        switch facts.host.hasBPFJIT {
        case true: Finding("BPF JIT", .ok, "on")
        case false:
            Finding(
                "BPF JIT", .degraded, "off, so that XDP programs are interpreted",
                remedy: "sysctl -w net.core.bpf_jit_enable=1")
        case nil:
            Finding(
                "BPF JIT", .unknown, "not told in this network namespace; `apus doctor` outside of it knows")
        }
    }

    private static func fileSystem(_ facts: DoctorFacts) -> Finding {
        let place = DoctorFacts.bpfFileSystem
        guard facts.host.bpfFileSystems.contains(place) else {
            let others = facts.host.bpfFileSystems
            return Finding(
                "BPF file system", .degraded,
                "none at \(place)" + (others.isEmpty ? "" : ", only at \(others.joined(separator: ", "))"),
                remedy: "mount -t bpf -o mode=0700 bpf \(place)")
        }
        return Finding("BPF file system", .ok, place)
    }

    private static func dispatcher(_ facts: DoctorFacts) -> Finding {
        guard let obstacle = facts.dispatcherObstacle else {
            return Finding("XDP dispatcher", .ok, "possible: several XDP programs can share an interface")
        }
        return Finding(
            "XDP dispatcher", .degraded,
            "impossible, as \(obstacle.text): no XDP program beside that of Apus",
            remedy: obstacle.remedy)
    }

    private static func hugepages(_ facts: DoctorFacts, _ command: String) -> Finding {
        let size = 2 << 20
        let sizes = facts.host.hugepages.filter { $0.total > 0 }
        let list = sizes.map { "\($0.free) of \($0.total) free of \(Units.bytes($0.pageSize))" }
        let text = list.joined(separator: ", ")
        if let pages = sizes.first(where: { $0.pageSize == size }), pages.free > 0 {
            return Finding("hugepages", .ok, text)
        }
        return Finding(
            "hugepages", .degraded,
            (text.isEmpty ? "none" : text) + ": frames are in normal pages, which costs some speed",
            remedy: command)
    }

    private static func processors(_ facts: DoctorFacts) -> Finding {
        let host = facts.host
        var text = "\(host.allowedCPUs.count) of \(host.onlineCPUs.count) usable"
        if !host.isolatedCPUs.isEmpty { text += ", \(host.isolatedCPUs.count) isolated" }
        let nodes = host.nodes.map { "node \($0.id): \(ranges($0.cpus))" }
        text +=
            "; \(host.nodes.count) NUMA node\(host.nodes.count == 1 ? "" : "s") (\(nodes.joined(separator: "; ")))"
        return Finding("CPUs", .ok, text)
    }

    /// `0-3, 8`.
    static func ranges(_ numbers: [Int]) -> String {
        var parts: [ClosedRange<Int>] = []
        for number in numbers.sorted() {
            if let last = parts.last, number <= last.upperBound + 1 {
                parts[parts.count - 1] = last.lowerBound...max(number, last.upperBound)
            } else {
                parts.append(number...number)
            }
        }
        return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ", ")
    }
}
