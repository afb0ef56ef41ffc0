import Glibc

/// What DPDK needs of a host beside its cards: IOMMU, kernel modules, huge pages by node, cores that are left alone.
/// Reading it needs no privilege.
public struct DPDKHostFacts: Sendable, Equatable, Codable {
    /// What a host has of a kernel module.
    public enum Module: String, Sendable, Codable {
        /// It is loaded, or part of the kernel.
        case loaded
        /// It is there, and `modprobe` loads it.
        case available
        /// It is not there.
        case missing
    }

    /// The huge pages of one size on a NUMA node.
    public struct NodeHugepages: Sendable, Hashable, Codable {
        /// The number of the node.
        public var node: Int
        /// The size of a page, in bytes.
        public var pageSize: Int
        /// How many the kernel has set aside there.
        public var total: Int
        /// How many of them nobody uses.
        public var free: Int
    }

    /// How far the memory of each node is from the cores of one (ACPI SLIT: 10 is its own).
    public struct NodeDistances: Sendable, Hashable, Codable {
        /// The number of the node.
        public var node: Int
        /// The distances to all nodes, in the order of their numbers.
        public var distances: [Int]
    }

    /// The IOMMUs that the kernel drives (/sys/class/iommu); none where it is off.
    public var iommus: [String]
    /// How many IOMMU groups there are.
    public var iommuGroups: Int
    /// Whether VFIO works without an IOMMU, which is not safe (`enable_unsafe_noiommu_mode`); nil while VFIO is not
    /// loaded, or was built without it.
    public var unsafeNoIOMMUMode: Bool?
    /// The modules that give devices to programs, by name.
    public var modules: [String: Module]
    /// The kernel's command line as far as it is about IOMMUs, huge pages and cores.
    public var kernelParameters: [String]
    /// The vendor of the CPU as /proc/cpuinfo names it: `GenuineIntel`, `AuthenticAMD`; nil where it does not.
    public var cpuVendor: String?
    /// Huge pages by node and size, also where there are none of a size.
    public var hugepages: [NodeHugepages]
    /// The cores that the kernel's timer leaves alone while one thread runs (`nohz_full=`).
    public var noHzFullCPUs: [Int]
    /// The distances between nodes.
    public var distances: [NodeDistances]
    /// Whether `dpdk-devbind.py` is installed.
    public var hasDevbind: Bool
    /// Whether `driverctl` is installed.
    public var hasDriverctl: Bool

    /// The modules by which a program can have a device, the best first.
    public static let moduleNames = ["vfio-pci", "uio_pci_generic", "igb_uio"]

    /// Whether VFIO can be used, with an IOMMU or without.
    public var hasIOMMU: Bool { iommuGroups > 0 }
}

extension DPDKHostFacts {
    /// Reads what the kernel says now.
    public static func current() -> DPDKHostFacts { DPDKHostFacts(root: "") }

    /// Reads below another root than `/`, so that hosts of other kinds can be tried.
    init(root: String) {
        let sys = root + "/sys"
        iommus = names(in: "\(sys)/class/iommu").sorted()
        iommuGroups = names(in: "\(sys)/kernel/iommu_groups").count
        unsafeNoIOMMUMode = line(of: "\(sys)/module/vfio/parameters/enable_unsafe_noiommu_mode").map {
            $0 == "Y" || $0 == "1"
        }
        let release = line(of: "\(root)/proc/sys/kernel/osrelease") ?? ""
        modules = Self.modules(root: root, release: release)
        let about = [
            "iommu", "amd_iommu", "intel_iommu", "hugepage", "isolcpus", "nohz", "rcu_nocb", "irqaffinity",
        ]
        kernelParameters = (line(of: "\(root)/proc/cmdline") ?? "").split(separator: " ").map(String.init)
            .filter { word in about.contains { word.contains($0) } }
        cpuVendor = contents(of: "\(root)/proc/cpuinfo")?.split(separator: "\n")
            .first { $0.hasPrefix("vendor_id") }?.split(separator: ":").last
            .map { $0.filter { !$0.isWhitespace } }
        let nodes = "\(sys)/devices/system/node"
        let numbers = names(in: nodes).compactMap { name in
            name.hasPrefix("node") ? Int(name.dropFirst(4)) : nil
        }.sorted()
        hugepages = numbers.flatMap { Self.hugepages(of: $0, in: "\(nodes)/node\($0)/hugepages") }
        distances = numbers.map { node in
            let list = line(of: "\(nodes)/node\(node)/distance") ?? ""
            return NodeDistances(node: node, distances: list.split(separator: " ").compactMap { Int($0) })
        }
        noHzFullCPUs = HostFacts.cpus(line(of: "\(sys)/devices/system/cpu/nohz_full") ?? "")
        func has(_ program: String) -> Bool {
            ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].contains {
                unsafe access("\(root)\($0)/\(program)", X_OK) == 0
            }
        }
        (hasDevbind, hasDriverctl) = (has("dpdk-devbind.py"), has("driverctl"))
    }

    private static func hugepages(of node: Int, in folder: String) -> [NodeHugepages] {
        names(in: folder).compactMap { name -> NodeHugepages? in
            // hugepages-2048kB
            guard let kilobytes = Int(name.dropFirst("hugepages-".count).dropLast(2)) else { return nil }
            return NodeHugepages(
                node: node, pageSize: kilobytes << 10,
                total: number(of: "\(folder)/\(name)/nr_hugepages") ?? 0,
                free: number(of: "\(folder)/\(name)/free_hugepages") ?? 0)
        }.sorted { $0.pageSize < $1.pageSize }
    }

    /// What modprobe(8) would find: modules.dep has what can be loaded, modules.builtin what need not.
    private static func modules(root: String, release: String) -> [String: Module] {
        let folder = "\(root)/lib/modules/\(release)"
        func list(_ file: String) -> Set<String> {
            let lines = (contents(of: "\(folder)/\(file)") ?? "").split(separator: "\n")
            return Set(lines.map { moduleName(ofFile: $0) })
        }
        let (builtIn, loadable) = (list("modules.builtin"), list("modules.dep"))
        return moduleNames.reduce(into: [:]) { result, name in
            let plain = name.replacing("-", with: "_")
            let isLoaded = unsafe access("\(root)/sys/module/\(plain)", F_OK) == 0 || builtIn.contains(plain)
            result[name] = isLoaded ? .loaded : loadable.contains(plain) ? .available : .missing
        }
    }

    /// `vfio_pci` of `kernel/drivers/vfio/pci/vfio-pci.ko.xz: …`.
    private static func moduleName(ofFile line: Substring) -> String {
        let path = line.prefix { $0 != ":" }
        return path.split(separator: "/").last.map { $0.prefix { $0 != "." } }
            .map { String($0).replacing("-", with: "_") } ?? ""
    }
}
