import CXDP
import Glibc

/// A type of BPF map, by the kernel's number of it (`enum bpf_map_type`).
package struct BPFMapType: RawRepresentable, Hashable, Sendable {
    /// The kernel's number.
    package let rawValue: UInt32

    /// The type with a number of the kernel's.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ type: bpf_map_type) { self.init(rawValue: type.rawValue) }

    /// BPF_MAP_TYPE_HASH.
    package static let hash = BPFMapType(BPF_MAP_TYPE_HASH)
    /// BPF_MAP_TYPE_ARRAY.
    package static let array = BPFMapType(BPF_MAP_TYPE_ARRAY)
    /// BPF_MAP_TYPE_PROG_ARRAY: programs to tail-call. A descriptor is written, an id is read.
    package static let programs = BPFMapType(BPF_MAP_TYPE_PROG_ARRAY)
    /// BPF_MAP_TYPE_PERCPU_HASH.
    package static let perCPUHash = BPFMapType(BPF_MAP_TYPE_PERCPU_HASH)
    /// BPF_MAP_TYPE_PERCPU_ARRAY.
    package static let perCPUArray = BPFMapType(BPF_MAP_TYPE_PERCPU_ARRAY)
    /// BPF_MAP_TYPE_LRU_HASH: the entry that was not used for longest makes room for a new one.
    package static let leastRecentlyUsed = BPFMapType(BPF_MAP_TYPE_LRU_HASH)
    /// BPF_MAP_TYPE_LRU_PERCPU_HASH.
    package static let leastRecentlyUsedPerCPU = BPFMapType(BPF_MAP_TYPE_LRU_PERCPU_HASH)
    /// BPF_MAP_TYPE_LPM_TRIE: by the longest prefix; wants BPF_F_NO_PREALLOC.
    package static let longestPrefix = BPFMapType(BPF_MAP_TYPE_LPM_TRIE)

    /// Whether the kernel hands over a value for each possible CPU.
    var isPerCPU: Bool {
        [.perCPUHash, .perCPUArray, .leastRecentlyUsedPerCPU].contains(self)
            || rawValue == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE.rawValue
    }
}

/// What the kernel says of a map.
package struct BPFMapInfo: Hashable, Sendable {
    /// Its type.
    package let type: BPFMapType
    /// The kernel's number of it.
    package let id: UInt32
    /// Bytes of a key.
    package let keySize: Int
    /// Bytes of a value, on one CPU.
    package let valueSize: Int
    /// How many entries it has room for.
    package let maxEntries: Int
    /// BPF_F_NO_PREALLOC and others of linux/bpf.h.
    package let flags: UInt32
    /// Its name, of 15 bytes at most.
    package let name: String

    /// Asks about the map that a descriptor refers to.
    init(of descriptor: Int32) throws(BPFError) {
        var info = bpf_map_info()
        var length = UInt32(MemoryLayout<bpf_map_info>.size)
        // Sound: the kernel writes `length` bytes at most.
        guard isDescriptor(descriptor, of: "bpf-map"),
            unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0
        else {
            throw BPFError("asking about a BPF map", code: errno)
        }
        type = BPFMapType(rawValue: info.type)
        (id, flags) = (info.id, info.map_flags)
        (keySize, valueSize) = (Int(info.key_size), Int(info.value_size))
        maxEntries = Int(info.max_entries)
        name = string(of: info.name)
    }
}

/// The CPUs that this machine may ever have.
package enum PossibleCPUs {
    /// How many values the kernel hands over of a per-CPU map.
    package static func count() throws(BPFError) -> Int {
        var count: Int32 = 0
        let outcome = LibXDP.call {
            count = libbpf_num_possible_cpus()
            return min(count, 0)
        }
        guard count > 0 else {
            throw BPFError("counting the possible CPUs", code: outcome.code, detail: outcome.detail)
        }
        return Int(count)
    }
}
