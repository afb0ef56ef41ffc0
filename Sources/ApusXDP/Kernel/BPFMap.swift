import CXDP
import Glibc

/// A BPF map of keys and values of two C types, and a descriptor of it.
///
/// That the map's keys and values have the sizes of those types is seen to once, when it is opened. All that the kernel
/// may write must be a value of the type, as for numbers and structs that C declares; and a struct that is a key has
/// no padding, since the kernel compares all octets.
///
/// Control plane: may be called from any thread; each call is a system call.
package final class BPFMap<Key: BitwiseCopyable, Value: BitwiseCopyable>: Sendable {
    /// Its descriptor, which this object closes.
    package let descriptor: Int32
    /// What the kernel says of it.
    package let info: BPFMapInfo
    /// How many values each key has: the possible CPUs in a per-CPU map, otherwise 1.
    package let valuesPerKey: Int

    /// Takes over a descriptor; it is closed when this fails.
    package init(taking descriptor: Int32) throws(BPFError) {
        do throws(BPFError) {
            info = try BPFMapInfo(of: descriptor)
            try Self.check(info)
            valuesPerKey = info.type.isPerCPU ? try PossibleCPUs.count() : 1
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    /// Opens the map that is pinned at a path.
    package convenience init(opening path: String) throws(BPFError) {
        try self.init(taking: BPFFileSystem.openPin(path, "map"))
    }

    /// Opens the map that is pinned at a path; nil when nothing is there.
    package convenience init?(ifPinnedAt path: String) throws(BPFError) {
        guard let descriptor = try BPFFileSystem.openPinIfThere(path, "map") else { return nil }
        try self.init(taking: descriptor)
    }

    /// Refuses a map of another type, or with room for more or fewer entries: whoever may pin can put any map in the place
    /// of another.
    package func expect(_ type: BPFMapType, entries: ClosedRange<Int>) throws(BPFError) {
        guard info.type == type, entries.contains(info.maxEntries) else {
            throw BPFError(
                "opening the map \(info.name)", code: EINVAL,
                detail:
                    "it is of the type \(info.type.rawValue) with room for \(info.maxEntries), not of \(type.rawValue) "
                    + "with room for \(entries.lowerBound) to \(entries.upperBound)")
        }
    }

    /// Makes a descriptor of one's own of a map whose descriptor somebody else closes.
    package convenience init(duplicating descriptor: Int32) throws(BPFError) {
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard own >= 0 else { throw BPFError("duplicating a BPF map's descriptor", code: errno) }
        try self.init(taking: own)
    }

    /// Makes a map.
    ///
    /// - Parameters:
    ///   - name: of 15 bytes at most.
    ///   - flags: BPF_F_NO_PREALLOC and others of linux/bpf.h.
    package convenience init(
        creating type: BPFMapType, name: String, maxEntries: Int, flags: UInt32 = 0
    ) throws(BPFError) {
        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.map_flags = flags
        var descriptor: Int32 = -1
        let outcome = LibXDP.call {
            descriptor = unsafe bpf_map_create(
                bpf_map_type(type.rawValue), name, UInt32(MemoryLayout<Key>.size),
                UInt32(MemoryLayout<Value>.size), UInt32(clamping: maxEntries), &options)
            return min(descriptor, 0)
        }
        guard descriptor >= 0 else {
            throw BPFError("making the map \(name)", code: outcome.code, detail: outcome.detail)
        }
        try self.init(taking: descriptor)
    }

    deinit { close(descriptor) }

    /// What makes it sound to let the kernel read keys and write values of the map in memory of the two types: they lie
    /// in arrays one behind the other as the kernel has them, which in a per-CPU map is in steps of eight bytes.
    private static func check(_ info: BPFMapInfo) throws(BPFError) {
        let (key, value) = (MemoryLayout<Key>.self, MemoryLayout<Value>.self)
        guard info.keySize == key.size, info.valueSize == value.size, key.size == key.stride,
            value.size == value.stride, !info.type.isPerCPU || value.size % 8 == 0
        else {
            throw BPFError(
                "opening the map \(info.name)", code: EINVAL,
                detail: "its keys have \(info.keySize) bytes and its values \(info.valueSize), "
                    + "not \(key.size) and \(value.size)")
        }
    }

    /// Pins it at a path in the BPF file system, where nothing may be yet.
    package func pin(to path: String) throws(BPFError) {
        guard unsafe bpf_obj_pin(descriptor, path) == 0 else {
            throw BPFError("pinning the map \(info.name) as \(path)", code: errno)
        }
    }

    /// The value of a key, or nil. Not for per-CPU maps.
    package func value(of key: Key) throws(BPFError) -> Value? {
        precondition(valuesPerKey == 1, "a per-CPU map has several values of each key")
        return try values(of: key)?.first
    }

    /// The values of a key on all possible CPUs, or nil; just one where the map is not per CPU.
    package func values(of key: Key) throws(BPFError) -> [Value]? {
        var (key, code) = (key, Int32(0))
        let values = unsafe [Value](unsafeUninitializedCapacity: valuesPerKey) { room, count in
            // Sound: the kernel reads a key and writes `valuesPerKey` values of the sizes that were checked.
            code = unsafe -bpf_map_lookup_elem(descriptor, &key, room.baseAddress)
            count = code == 0 ? valuesPerKey : 0
        }
        switch code {
        case 0: return values
        case ENOENT: return nil
        default: throw BPFError("looking up in the map \(info.name)", code: code)
        }
    }

    /// Sets the value of a key, with one system call. Not for per-CPU maps.
    package func update(_ key: Key, _ value: Value) throws(BPFError) {
        precondition(valuesPerKey == 1, "a per-CPU map has several values of each key")
        var (key, value) = (key, value)
        // Sound: the kernel reads a key and a value of the sizes that were checked.
        try succeed(unsafe bpf_map_update_elem(descriptor, &key, &value, UInt64(BPF_ANY)))
    }

    /// Sets the values of a key on all possible CPUs.
    package func update(_ key: Key, values: [Value]) throws(BPFError) {
        precondition(values.count == valuesPerKey, "a value for each possible CPU")
        var key = key
        // Sound: the kernel reads a key and `valuesPerKey` values of the sizes that were checked.
        try succeed(
            unsafe values.withUnsafeBytes {
                unsafe bpf_map_update_elem(descriptor, &key, $0.baseAddress, UInt64(BPF_ANY))
            })
    }

    /// Removes a key, and tells whether it was there.
    @discardableResult
    package func remove(_ key: Key) throws(BPFError) -> Bool {
        var key = key
        // Sound: the kernel reads a key of the size that was checked.
        switch unsafe -bpf_map_delete_elem(descriptor, &key) {
        case 0: return true
        case ENOENT: return false
        case let code: throw BPFError("removing from the map \(info.name)", code: code)
        }
    }

    func succeed(_ result: Int32) throws(BPFError) {
        guard result != 0 else { return }
        throw BPFError(
            "updating the map \(info.name)", code: -result,
            detail: result == -E2BIG ? "it has room for \(info.maxEntries) entries" : "")
    }
}
