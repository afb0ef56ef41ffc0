import CXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// An IPv4 prefix as a trie by prefix has it.
private struct Prefix: BitwiseCopyable, Hashable {
    var length: UInt32
    var address: UInt32

    init(_ address: UInt32, _ length: UInt32) {
        (self.address, self.length) = (address.bigEndian, length)
    }
}

@Suite("BPF maps and programs", .requires(.root))
struct BPFMapTests {
    private static let withoutPreallocation = UInt32(BPF_F_NO_PREALLOC)

    @Test(arguments: [BPFMapType.hash, .leastRecentlyUsed])
    func `Entries are set, found and removed`(_ type: BPFMapType) throws {
        let map = try BPFMap<UInt64, UInt32>(creating: type, name: "apus_entries", maxEntries: 100)
        #expect(map.info.type == type && map.info.name == "apus_entries" && map.info.maxEntries == 100)
        #expect(map.info.keySize == 8 && map.info.valueSize == 4 && map.valuesPerKey == 1)
        #expect(try map.value(of: 7) == nil)
        try map.update(7, 70)
        try map.update(7, 71)
        #expect(try map.value(of: 7) == 71)
        #expect(try map.remove(7))
        #expect(try !map.remove(7))
        #expect(try map.entries().isEmpty)
    }

    @Test func `A map that is full says how much room it has`() throws {
        let map = try BPFMap<UInt32, UInt32>(creating: .hash, name: "apus_full", maxEntries: 2)
        try map.update([1, 2], values: [1, 2])
        let one = try #require(throws: BPFError.self) { try map.update(3, 3) }
        #expect("\(one)".hasPrefix("updating the map apus_full: ") && one.code == E2BIG)
        #expect(one.detail == "it has room for 2 entries")
        let many = try #require(throws: BPFError.self) { try map.update([2, 3], values: [20, 30]) }
        #expect(many == one)
        #expect(try map.value(of: 2) == 20)
        let array = try BPFMap<UInt32, UInt32>(creating: .array, name: "apus_array", maxEntries: 2)
        #expect(throws: BPFError.self) { try array.remove(0) }
        #expect(throws: BPFError.self) { try array.update(2, 0) }
    }

    @Test(arguments: [BPFMapType.hash, .array, .leastRecentlyUsed], [1, 7, 1000, 4096])
    func `A whole map is written and read in chunks`(_ type: BPFMapType, _ chunk: Int) throws {
        let count = 3000
        let map = try BPFMap<UInt32, UInt64>(creating: type, name: "apus_whole", maxEntries: count * 2)
        let keys = (0..<UInt32(count)).map(\.self)
        try map.update(keys, values: keys.map { UInt64($0) << 32 | 5 }, chunk: chunk)
        var (seen, calls): ([UInt32: UInt64], Int) = ([:], 0)
        try map.forEachChunk(of: chunk) { keys, values in
            calls += 1
            for index in keys.indices { seen[keys[index]] = values[index] }
        }
        // All of an array's entries are there.
        #expect(seen.count == (type == .array ? count * 2 : count))
        #expect(keys.allSatisfy { seen[$0] == UInt64($0) << 32 | 5 })
        #expect(calls >= (type == .array && chunk == 1 ? count : chunk < 1000 ? 2 : 1))
    }

    @Test func `A trie finds the longest prefix, and is written and read in chunks`() throws {
        let map = try BPFMap<Prefix, UInt32>(
            creating: .longestPrefix, name: "apus_trie", maxEntries: 5000, flags: Self.withoutPreallocation)
        let prefixes = (0..<3000).map { Prefix(0x0a00_0000 + UInt32($0) << 8, 24) }
        try map.update(prefixes, values: (0..<3000).map { $0 }, chunk: 1000)
        try map.update(Prefix(0x0a00_0000, 8), 9999)
        #expect(try map.value(of: Prefix(0x0a00_0207, 32)) == 2)
        #expect(try map.value(of: Prefix(0x0aff_0000, 32)) == 9999)
        #expect(try map.value(of: Prefix(0x0b00_0000, 32)) == nil)
        for chunk in [64, 4096] {
            var seen: [Prefix: UInt32] = [:]
            try map.forEachChunk(of: chunk) { keys, values in
                for index in keys.indices { seen[keys[index]] = values[index] }
            }
            #expect(seen.count == 3001 && seen[prefixes[2999]] == 2999)
        }
        #expect(try map.remove(Prefix(0x0a00_0000, 8)))
        #expect(try map.value(of: Prefix(0x0aff_0000, 32)) == nil)
        // A prefix longer than the address is told as what is wrong, though many are written at once.
        let error = try #require(throws: BPFError.self) {
            try map.update([Prefix(0, 8), Prefix(0, 33)], values: [1, 2])
        }
        #expect(error.code == EINVAL)
        #expect(try map.value(of: Prefix(0, 32)) == 1)
    }

    @Test func `A per-CPU map has a value for each possible CPU`() throws {
        let cpus = try PossibleCPUs.count()
        let map = try BPFMap<UInt32, UInt64>(creating: .perCPUArray, name: "apus_cpus", maxEntries: 500)
        #expect(map.valuesPerKey == cpus)
        let values = (0..<cpus).map { UInt64($0) + 10 }
        try map.update(7, values: values)
        #expect(try map.values(of: 7) == values)
        #expect(try map.values(of: 8) == [UInt64](repeating: 0, count: cpus))
        #expect(try map.values(of: 500) == nil)
        let keys = (0..<UInt32(400)).map(\.self)
        try map.update(
            keys, values: keys.flatMap { key in (0..<cpus).map { UInt64(key) << 8 | UInt64($0) } }, chunk: 150
        )
        var seen = 0
        try map.forEachChunk(of: 64) { keys, values in
            #expect(values.count == keys.count * cpus)
            for index in keys.indices where keys[index] < 400 {
                for cpu in 0..<cpus {
                    #expect(values[index * cpus + cpu] == UInt64(keys[index]) << 8 | UInt64(cpu))
                    seen += 1
                }
            }
        }
        #expect(seen == 400 * cpus)
    }

    @Test func `Programs to tail-call, which have no batches, are written and read all the same`() throws {
        let map = try BPFMap<UInt32, UInt32>(creating: .programs, name: "apus_slots", maxEntries: 4)
        let object = try BPFObject(CountProgram.object, name: "apus_count")
        try object.load()
        let program = try object.program("apus_count")
        try map.update([1, 3], values: [UInt32](repeating: UInt32(program.descriptor), count: 2))
        #expect(try map.entries().map(\.key) == [1, 3])
        #expect(try map.entries().map(\.values) == [[program.id], [program.id]])
        #expect(try map.remove(1))
        #expect(try map.entries().map(\.key) == [3])
    }

    @Test func `A map of other sizes is not opened`() throws {
        let map = try BPFMap<UInt32, UInt64>(creating: .hash, name: "apus_sizes", maxEntries: 1)
        let error = try #require(throws: BPFError.self) {
            try BPFMap<UInt32, UInt32>(duplicating: map.descriptor)
        }
        #expect(error.detail == "its keys have 4 bytes and its values 8, not 4 and 4")
        #expect(throws: BPFError.self) { try BPFMap<UInt64, UInt64>(duplicating: map.descriptor) }
        // On each CPU it takes eight bytes.
        #expect(throws: BPFError.self) {
            try BPFMap<UInt32, UInt32>(creating: .perCPUArray, name: "apus_four", maxEntries: 1)
        }
    }

    @Test func `Pins are made in folders, opened, moved and removed`() throws {
        let net = try Pair("pins")
        defer { net.lab.close() }
        try net.b.enter {
            let name = BPFFileSystem.encoded("eth0.100")
            #expect(name == "eth0%2e100" && BPFFileSystem.decoded(name) == "eth0.100")
            #expect(BPFFileSystem.decoded(BPFFileSystem.encoded("a%2e.%25")) == "a%2e.%25")
            let folder = try BPFFileSystem.makeFolder("apus/filter/\(name)")
            #expect(try BPFFileSystem.makeFolder("apus/filter/\(name)") == folder)
            let map = try BPFMap<UInt32, UInt32>(creating: .hash, name: "apus_pinned", maxEntries: 1)
            try map.pin(to: "\(folder)/map")
            #expect(throws: BPFError.self) { try map.pin(to: "\(folder)/map") }
            try map.update(1, 2)
            let again = try BPFMap<UInt32, UInt32>(opening: "\(folder)/map")
            #expect(try again.info == map.info && again.value(of: 1) == 2)

            let object = try BPFObject(CountProgram.object, name: "apus_count")
            try object.load()
            let program = try object.program("apus_count")
            try program.pin(to: "\(folder)/new")
            #expect(try BPFFileSystem.entries(of: folder) == ["map", "new"])
            try BPFFileSystem.move("\(folder)/new", to: "\(folder)/program")
            let opened = try BPFProgram(opening: "\(folder)/program")
            #expect(opened.id == program.id && opened.loadTime == program.loadTime && program.loadTime > 0)
            #expect(throws: BPFError.self) { try BPFProgram(opening: "\(folder)/map") }
            #expect(throws: BPFError.self) { try BPFMap<UInt32, UInt32>(opening: "\(folder)/program") }
            try BPFFileSystem.unpin("\(folder)/program")
            try BPFFileSystem.unpin("\(folder)/program")
            #expect(try BPFFileSystem.entries(of: folder) == ["map"])
            try BPFFileSystem.removeFolder("\(BPFFileSystem.root)/apus")
            try BPFFileSystem.removeFolder("\(BPFFileSystem.root)/apus")
            #expect(try !BPFFileSystem.entries(of: BPFFileSystem.root).contains("apus"))
        }
    }

    @Test func `A folder goes with what is in it, and a link without what it leads to`() throws {
        let net = try Pair("links")
        defer { net.lab.close() }
        try net.b.enter {
            let folder = try BPFFileSystem.makeFolder("apus/filter/1")
            let other = try BPFFileSystem.makeFolder("other/deep")
            try net.b.run("ln", "-s", "/sys/fs/bpf/other", "\(folder)/link")
            #expect(try BPFFileSystem.isOwn("apus/filter/1") && !BPFFileSystem.isOwn("apus/filter/2"))
            for (path, detail) in [
                ("apus/filter/1/link", "it is no folder; remove it"),
                ("apus/filter/1/link/deep", "it is no folder; remove it"),
            ] {
                let error = try #require(throws: BPFError.self) { try BPFFileSystem.isOwn(path) }
                #expect(error.code == EPERM && error.detail == detail)
                #expect(throws: error) { try BPFFileSystem.makeFolder(path) }
            }
            #expect(throws: BPFError.self) { try BPFFileSystem.entries(of: "\(folder)/link") }
            try BPFFileSystem.removeFolder("\(BPFFileSystem.root)/apus")
            let left = try BPFFileSystem.entries(of: BPFFileSystem.root)
            #expect(left.contains("other") && !left.contains("apus"))
            #expect(try BPFFileSystem.entries(of: "\(BPFFileSystem.root)/other") == ["deep"])
            try net.b.run("chown", "65534", other)
            #expect(throws: BPFError.self) { try BPFFileSystem.makeFolder("other/deep/er") }
            try net.b.run("chown", "0", other)
            try net.b.run("chmod", "770", other)
            #expect(throws: BPFError.self) { try BPFFileSystem.makeFolder("other/deep/er") }
            // Without a sticky bit all may put others in the place of what is there.
            try net.b.run("chmod", "700", other)
            _ = try BPFFileSystem.makeFolder("other/deep/er")
            try net.b.run("chmod", "0777", "/sys/fs/bpf")
            #expect(throws: BPFError.self) { try BPFFileSystem.isOwn("other") }
        }
    }

    @Test func `Without a BPF file system the error says how to mount one`() throws {
        let net = try Pair("nopins")
        defer { net.lab.close() }
        try net.b.run("umount", "/sys/fs/bpf")
        try net.b.enter {
            let error = try #require(throws: BPFError.self) { try BPFFileSystem.makeFolder("apus") }
            #expect(error.detail.contains("mount -t bpf -o mode=0700 bpf /sys/fs/bpf"))
        }
    }

    @Test func `A program is run on a packet`() throws {
        let object = try BPFObject(CountProgram.object, name: "apus_count")
        try object.set(".rodata", to: UInt32(1))
        try object.load()
        let program = try object.program("apus_count")
        let packet = (0..<60).map { UInt8($0) }
        let run = try program.run(on: packet, times: 1000)
        #expect(run.verdict == 1 && run.data == packet)
        let counted: BPFMap<UInt32, UInt64> = try object.map("counted")
        #expect(try counted.value(of: 0) == 1000)
        let error = try #require(throws: BPFError.self) { try program.run(on: [1, 2, 3]) }
        #expect(error.code == EINVAL && error.operation == "running the program apus_count")
    }

    @Test func `An object is changed before it is loaded, and takes maps that exist`() throws {
        let counted = try BPFMap<UInt32, UInt64>(creating: .array, name: "counted", maxEntries: 1)
        let object = try BPFObject(CountProgram.object, name: "apus_count")
        try object.use(counted, as: "counted")
        try object.set("next", maxEntries: 9)
        #expect(throws: BPFError.self) { try object.set("nowhere", maxEntries: 9) }
        #expect(throws: BPFError.self) { try object.set(".rodata", to: UInt64(1)) }
        try object.load()
        let next: BPFMap<UInt32, UInt32> = try object.map("next")
        #expect(next.info.maxEntries == 9)
        _ = try object.program("apus_count").run(on: [UInt8](repeating: 0, count: 60))
        #expect(try counted.value(of: 0) == 1)
        #expect(throws: BPFError.self) { try object.program("nothing") }
        #expect(throws: BPFError.self) { try BPFObject([1, 2, 3], name: "rubbish") }
    }
}
