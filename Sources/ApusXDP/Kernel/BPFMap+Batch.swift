import CXDP
import Glibc

// Whole maps, many entries with each system call (Linux 5.6; 5.13 for per-CPU arrays and tries by prefix). What has no
// such call, as PROG_ARRAY, is read and written one entry at a time.
extension BPFMap {
    /// Calls `body` with all entries, some at a time. Of a key there are `valuesPerKey` values, one behind the other.
    ///
    /// What is added and removed meanwhile may be among them or not; what is there all the time comes once in arrays,
    /// and at least once otherwise.
    package func forEachChunk(
        of size: Int = 4096, _ body: (Span<Key>, Span<Value>) -> Void
    ) throws(BPFError) {
        var chunk = Chunk(entries: min(max(size, 1), max(info.maxEntries, 1)), valuesPerKey)
        // Where the kernel goes on: the number of a bucket in hash maps, otherwise the last key.
        let placeSize = max(MemoryLayout<Key>.size, MemoryLayout<UInt32>.size)
        var (from, next) = ([UInt8](repeating: 0, count: placeSize), [UInt8](repeating: 0, count: placeSize))
        var (isFirst, interrupted, seen) = (true, 0, 0)
        while true {
            var count = UInt32(chunk.entries)
            // Sound: there is room for `count` keys and their values of the sizes that were checked, and for a place.
            let code = unsafe from.withUnsafeMutableBytes { from in
                unsafe next.withUnsafeMutableBytes { next in
                    unsafe -bpf_map_lookup_batch(
                        descriptor, isFirst ? nil : from.baseAddress, next.baseAddress,
                        chunk.keys.baseAddress, chunk.values.baseAddress, &count, nil)
                }
            }
            switch code {
            case 0, ENOENT:
                if count > 0 { unsafe chunk.give(Int(count), body) }
                seen += Int(count)
                if code == ENOENT || count == 0 { return }
                try limit(seen)
                swap(&from, &next)
                (isFirst, interrupted) = (false, 0)
            case ENOSPC:
                // A bucket of a hash map comes as a whole or not at all.
                chunk = Chunk(entries: chunk.entries * 2, valuesPerKey)
            case EINTR where interrupted < 16:
                // Entries went away while it looked; from the same place again.
                interrupted += 1
            case Self.notSupported where isFirst, EINVAL where isFirst:
                return try forEachSingly(body)
            default:
                throw BPFError("reading the map \(info.name)", code: code)
            }
        }
    }

    /// All entries, for maps that are small.
    package func entries() throws(BPFError) -> [(key: Key, values: [Value])] {
        var all: [(key: Key, values: [Value])] = []
        try forEachChunk { keys, values in
            for index in keys.indices {
                let own = index * valuesPerKey..<(index + 1) * valuesPerKey
                all.append((keys[index], own.map { values[$0] }))
            }
        }
        return all
    }

    /// Sets the values of many keys, `valuesPerKey` of each. Those before one that is refused stay set.
    package func update(_ keys: [Key], values: [Value], chunk: Int = 4096) throws(BPFError) {
        precondition(values.count == keys.count * valuesPerKey, "values for each key")
        var done = 0
        while done < keys.count {
            var count = UInt32(min(max(chunk, 1), keys.count - done))
            // Sound: the kernel reads `count` keys and their values of the sizes that were checked, from a place up to
            // which there are more than that.
            let code = unsafe keys.withUnsafeBufferPointer { keys in
                unsafe values.withUnsafeBufferPointer { values in
                    unsafe -bpf_map_update_batch(
                        descriptor, keys.baseAddress! + done, values.baseAddress! + done * valuesPerKey,
                        &count, nil)
                }
            }
            switch code {
            case 0: done += Int(count)
            case Self.notSupported, EINVAL:
                // No such call for this type; or an entry is refused, which then is told by itself.
                for index in done..<keys.count {
                    let own = index * valuesPerKey..<(index + 1) * valuesPerKey
                    try update(keys[index], values: Array(values[own]))
                }
                return
            default: try succeed(-code)
            }
        }
    }

    private func forEachSingly(_ body: (Span<Key>, Span<Value>) -> Void) throws(BPFError) {
        var key: Key?
        var seen = 0
        while let next = try self.key(after: key) {
            key = next
            seen += 1
            try limit(seen)
            guard let values = try values(of: next) else { continue }
            body([next].span, values.span)
        }
    }

    private func key(after key: Key?) throws(BPFError) -> Key? {
        var code: Int32 = 0
        let next = unsafe [Key](unsafeUninitializedCapacity: 1) { room, count in
            // Sound: the kernel reads a key and writes one, of the size that was checked.
            if var key {
                code = unsafe -bpf_map_get_next_key(descriptor, &key, room.baseAddress!)
            } else {
                code = unsafe -bpf_map_get_next_key(descriptor, nil, room.baseAddress!)
            }
            count = code == 0 ? 1 : 0
        }
        guard code == 0 || code == ENOENT else { throw BPFError("reading the map \(info.name)", code: code) }
        return next.first
    }

    /// Where the last key has gone, the kernel begins again: a map that changes all the time would never end.
    private func limit(_ seen: Int) throws(BPFError) {
        guard seen <= info.maxEntries * 4 + 4096 else {
            throw BPFError(
                "reading the map \(info.name)", code: EAGAIN, detail: "it changes faster than it is read")
        }
    }

    /// The kernel's ENOTSUPP, which the C library has no name for.
    private static var notSupported: Int32 { 524 }

    /// Room for keys and values that the kernel writes.
    @safe private struct Chunk: ~Copyable {
        let entries: Int
        private let valuesPerKey: Int
        let keys: UnsafeMutableBufferPointer<Key>
        let values: UnsafeMutableBufferPointer<Value>

        init(entries: Int, _ valuesPerKey: Int) {
            (self.entries, self.valuesPerKey) = (entries, valuesPerKey)
            unsafe keys = .allocate(capacity: entries)
            unsafe values = .allocate(capacity: entries * valuesPerKey)
        }

        deinit {
            unsafe keys.deallocate()
            unsafe values.deallocate()
        }

        /// Unsafe: the kernel must have written `count` entries.
        @unsafe borrowing func give(_ count: Int, _ body: (Span<Key>, Span<Value>) -> Void) {
            body(
                unsafe UnsafeBufferPointer(rebasing: keys.prefix(upTo: count)).span,
                unsafe UnsafeBufferPointer(rebasing: values.prefix(upTo: count * valuesPerKey)).span)
        }
    }
}
