import Glibc

/// What this host can run, as far as the kernel tells without being changed. Reading it needs no privilege.
public struct HostFacts: Sendable, Equatable, Codable {
    /// The version of the running kernel.
    public var kernel: KernelVersion
    /// The machine's architecture as uname(2) names it: "x86_64", "aarch64".
    public var architecture: String
    /// The hugepages of each size the kernel knows, the smallest first.
    public var hugepages: [Hugepages]
    /// The hugetlbfs mounts.
    public var hugepageMounts: [HugepageMount]
    /// Where a BPF file system is mounted; libxdp wants one at /sys/fs/bpf.
    public var bpfFileSystems: [String]
    /// Whether BPF programs are compiled to machine code; nil where the kernel does not say: in a network namespace
    /// other than the first, or when it was built without that compiler.
    public var hasBPFJIT: Bool?
    /// Whether the kernel carries its own type information (/sys/kernel/btf/vmlinux).
    public var hasBTF: Bool
    /// How many bytes this process may lock: the hard limit; nil without one. CAP_IPC_LOCK lifts it.
    public var lockedMemoryLimit: UInt64?
    /// How many files and sockets this process may open: the hard limit, to which Apus raises the soft one.
    public var descriptorLimit: UInt64
    /// The NUMA nodes; one, with all CPUs, where the kernel knows of none.
    public var nodes: [NUMANode]
    /// The CPUs that run.
    public var onlineCPUs: [Int]
    /// The CPUs that the scheduler leaves alone (`isolcpus=`).
    public var isolatedCPUs: [Int]
    /// The CPUs this process may use.
    public var allowedCPUs: [Int]

    /// The version of a kernel.
    public struct KernelVersion: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
        /// All of it: "6.1.0-18-amd64".
        public var release: String
        /// The first number.
        public var major: Int
        /// The second number.
        public var minor: Int

        /// Reads a release as `uname -r` gives it; what is no number counts as 0.
        public init(release: String) {
            self.release = release
            let numbers = release.split(separator: ".", maxSplits: 2).map { part in
                Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
            }
            major = numbers.first ?? 0
            minor = numbers.dropFirst().first ?? 0
        }

        /// The release.
        public var description: String { release }

        /// By the first two numbers.
        public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

        /// Whether this kernel is at least of a version.
        public func isAtLeast(_ major: Int, _ minor: Int) -> Bool {
            (self.major, self.minor) >= (major, minor)
        }
    }

    /// The hugepages of one size.
    public struct Hugepages: Sendable, Hashable, Codable {
        /// The size of a page, in bytes.
        public var pageSize: Int
        /// How many the kernel has set aside.
        public var total: Int
        /// How many of them nobody uses.
        public var free: Int
    }

    /// A mounted hugetlbfs.
    public struct HugepageMount: Sendable, Hashable, Codable {
        /// Where.
        public var path: String
        /// The size of its pages, in bytes; nil where the mount does not say.
        public var pageSize: Int?
    }

    /// A NUMA node.
    public struct NUMANode: Sendable, Hashable, Codable {
        /// Its number.
        public var id: Int
        /// Its CPUs.
        public var cpus: [Int]
    }
}

extension HostFacts {
    /// Reads what the kernel says now.
    public static func current() -> HostFacts { HostFacts(root: "") }

    /// Reads below another root than `/`, so that hosts of other kinds can be tried.
    init(root: String) {
        let sys = root + "/sys"
        kernel = KernelVersion(release: line(of: "\(root)/proc/sys/kernel/osrelease") ?? "")
        architecture = line(of: "\(root)/proc/sys/kernel/arch") ?? Self.unameMachine
        hugepages = names(in: "\(sys)/kernel/mm/hugepages").compactMap { folder in
            let path = "\(sys)/kernel/mm/hugepages/\(folder)"
            // hugepages-2048kB
            guard let kilobytes = Int(folder.dropFirst("hugepages-".count).dropLast(2)) else { return nil }
            return Hugepages(
                pageSize: kilobytes << 10, total: number(of: "\(path)/nr_hugepages") ?? 0,
                free: number(of: "\(path)/free_hugepages") ?? 0)
        }.sorted { $0.pageSize < $1.pageSize }

        let mounts = Mount.all(in: contents(of: "\(root)/proc/self/mounts") ?? "")
        hugepageMounts = mounts.filter { $0.type == "hugetlbfs" }.map { mount in
            HugepageMount(path: mount.path, pageSize: mount.option("pagesize").flatMap(Self.bytes))
        }
        bpfFileSystems = mounts.filter { $0.type == "bpf" }.map(\.path)
        // The kernel registers net_core_table (net/core/sysctl_net_core.c) for its first network namespace alone.
        hasBPFJIT = number(of: "\(root)/proc/sys/net/core/bpf_jit_enable").map { $0 != 0 }
        hasBTF = unsafe access("\(sys)/kernel/btf/vmlinux", F_OK) == 0
        lockedMemoryLimit = Self.limit(__RLIMIT_MEMLOCK)
        descriptorLimit = Self.limit(RLIMIT_NOFILE) ?? .max

        let cpus = "\(sys)/devices/system/cpu"
        let online = Self.cpus(line(of: "\(cpus)/online") ?? "")
        onlineCPUs = online
        isolatedCPUs = Self.cpus(line(of: "\(cpus)/isolated") ?? "")
        allowedCPUs = Self.status("Cpus_allowed_list", root: root).map(Self.cpus) ?? online
        let nodes = names(in: "\(sys)/devices/system/node").compactMap { folder -> NUMANode? in
            guard folder.hasPrefix("node"), let id = Int(folder.dropFirst(4)) else { return nil }
            return NUMANode(
                id: id, cpus: Self.cpus(line(of: "\(sys)/devices/system/node/\(folder)/cpulist") ?? ""))
        }
        self.nodes = nodes.isEmpty ? [NUMANode(id: 0, cpus: online)] : nodes.sorted { $0.id < $1.id }
    }

    /// Reads a list as the kernel writes it: `0-3,8,10-11`.
    static func cpus(_ list: String) -> [Int] {
        list.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last, last < 1 << 16 else {
                return []
            }
            return Array(first...last)
        }
    }

    /// Reads a size as mount options have it: `2M`, `1024M`, `1G`, `2097152`.
    static func bytes(_ text: String) -> Int? {
        let shift = ["K": 10, "M": 20, "G": 30][text.suffix(1).uppercased()]
        guard let number = Int(shift == nil ? text[...] : text.dropLast()) else { return nil }
        return number << (shift ?? 0)
    }

    private static func status(_ field: String, root: String) -> String? {
        contents(of: "\(root)/proc/self/status")?.split(separator: "\n")
            .first { $0.hasPrefix("\(field):") }
            .map { $0.dropFirst(field.count + 1).filter { !$0.isWhitespace } }
    }

    /// The hard limit; nil without one.
    private static func limit(_ resource: __rlimit_resource) -> UInt64? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return 0 }
        // RLIM_INFINITY, which does not come through as a number.
        return limit.rlim_max == .max ? nil : UInt64(limit.rlim_max)
    }

    private static var unameMachine: String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: &names.machine) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// A line of /proc/self/mounts.
private struct Mount {
    let path: String
    let type: String
    let options: String

    static func all(in text: String) -> [Mount] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            return fields.count >= 4
                ? Mount(path: String(fields[1]), type: String(fields[2]), options: String(fields[3])) : nil
        }
    }

    func option(_ name: String) -> String? {
        options.split(separator: ",").first { $0.hasPrefix("\(name)=") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }
}
