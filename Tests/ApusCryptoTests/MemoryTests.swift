import ApusCrypto
import Foundation
import Octets
import Testing

@Suite("Keys in memory")
struct MemoryTests {
    /// The process's mappings, with their flags (proc_pid_smaps(5), VmFlags).
    static func mappings() throws -> [(range: Range<UInt>, flags: Set<String>)] {
        var (found, range): ([(range: Range<UInt>, flags: Set<String>)], Range<UInt>) = ([], 0..<0)
        // Its length is not known before it is read.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let text = String(decoding: try #require(try file.readToEnd()), as: UTF8.self)
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first else { continue }
            let ends = first.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if ends.count == 2 { range = ends[0]..<ends[1] }
            if first == "VmFlags:" { found.append((range, Set(words.dropFirst()))) }
        }
        return found
    }

    /// Flags of the mapping that an address is in.
    static func flags(at address: UInt) throws -> Set<String> {
        try mappings().first { $0.range.contains(address) }?.flags ?? []
    }

    static func address(_ span: RawSpan) -> UInt {
        unsafe span.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    }

    /// The octets at an address, whoever they belong to: of a slot of the arena, which stays mapped.
    static func octets(at address: UInt, _ count: Int) -> [UInt8] {
        let start = unsafe UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    @Test func `Memory is locked, not dumped, and wiped in a child`() throws {
        let memory = try LockedMemory(byteCount: 5000)
        let whole = array(memory.bytes)
        #expect(whole.count == 5000 && whole.allSatisfy { $0 == 0 })
        let secret = try Secret([1, 2, 3])
        for address in [
            Self.address(memory.bytes), Self.address(memory.bytes) + 4999, Self.address(secret.bytes),
        ] {
            let flags = try Self.flags(at: address)
            #expect(flags.isSuperset(of: ["lo", "dd", "wf"]), "\(flags)")
        }
    }

    @Test func `Memory is unmapped when it is dropped`() throws {
        // More than anything else would ask for at the same time.
        let address = try Self.place()
        #expect(try !Self.flags(at: address).contains("wf"))
    }

    private static func place() throws -> UInt {
        var memory = try LockedMemory(byteCount: 1 << 20)
        var bytes = memory.mutableBytes
        bytes.storeBytes(of: 0xdead_beef, toByteOffset: 0, as: UInt32.self)
        let address = address(memory.bytes)
        #expect(try flags(at: address).contains("wf"))
        return address
    }

    @Test func `A secret is wiped when it is dropped`() throws {
        let octets = (0..<128).map { UInt8($0 + 100) }
        func drop() throws -> UInt {
            let secret = try Secret(octets)
            let address = Self.address(secret.bytes)
            #expect(Self.octets(at: address, 128) == octets)
            return address
        }
        let address = try drop()
        #expect(Self.octets(at: address, 128).allSatisfy { $0 == 0 })
    }

    @Test func `A thousand secrets lie in few pages, and none is another's`() throws {
        func hold(_ depth: Int, _ places: inout [UInt]) throws {
            guard depth > 0 else { return }
            let octets = (0..<64).map { UInt8(truncatingIfNeeded: $0 + depth) }
            let secret = try Secret(octets)
            places.append(Self.address(secret.bytes))
            try hold(depth - 1, &places)
            let held = array(secret.bytes)
            #expect(held == octets)
        }
        var places: [UInt] = []
        try hold(1000, &places)
        #expect(Set(places).count == 1000)
        let pages = Set(places.map { $0 / 4096 }).count
        // 32 to a page, and some pages that others have begun.
        #expect(pages <= 40)
        let areWiped = places.allSatisfy { Self.octets(at: $0, 64).allSatisfy { $0 == 0 } }
        #expect(areWiped)
    }

    /// OpenSSL's are in its heap.
    @Test(.enabled(if: CryptoBackend.available.contains(.ipsecMB)))
    func `What ipsec-mb has expanded is wiped when it is dropped`() throws {
        // The first 16 octets of an expanded key of AES-128 are the key itself (FIPS 197, section 5.2).
        let key = (0..<16).map { UInt8($0 + 0x41) }
        var places: Set<UInt> = []
        func drop() throws {
            var cipher = try AEAD(.aes128GCM, backend: .ipsecMB)
            cipher.setKey(key.raw)
            places = try Self.lockedPlaces(of: key)
            #expect(places.count == 1)
        }
        try drop()
        #expect(try Self.lockedPlaces(of: key).isEmpty)
        for place in places { #expect(Self.octets(at: place, 2048).allSatisfy { $0 == 0 }) }
    }

    /// Where octets lie in memory that is wiped on fork, at the beginning of a slot.
    static func lockedPlaces(of octets: [UInt8]) throws -> Set<UInt> {
        let ranges = try mappings().filter { $0.flags.isSuperset(of: ["wf", "lo"]) }.map(\.range)
        var places: Set<UInt> = []
        for range in ranges {
            for place in stride(from: range.lowerBound, to: range.upperBound, by: 2048)
            where Self.octets(at: place, octets.count) == octets { places.insert(place) }
        }
        return places
    }

    @Test func `A child has none of its parent's keys`() throws {
        let secret = try Secret([UInt8](repeating: 0x5a, count: 64))
        var memory = try LockedMemory(byteCount: 64)
        var bytes = memory.mutableBytes
        bytes.storeBytes(of: 0x5a, toByteOffset: 9, as: UInt8.self)
        let places = (Self.address(secret.bytes), Self.address(memory.bytes) + 9)
        // Swift's Glibc hides fork(2), as it is seldom right; this child only reads octets and ends.
        guard let symbol = unsafe dlsym(nil, "fork") else { preconditionFailure("a C library without fork") }
        let fork = unsafe unsafeBitCast(symbol, to: (@convention(c) () -> pid_t).self)
        let child = fork()
        if child == 0 {
            let first = unsafe UnsafePointer<UInt8>(bitPattern: places.0).unsafelyUnwrapped.pointee
            let second = unsafe UnsafePointer<UInt8>(bitPattern: places.1).unsafelyUnwrapped.pointee
            // Not dropped before, as they would be on a way that uses them no more.
            extendLifetime(secret)
            extendLifetime(memory)
            _exit(first == 0 && second == 0 ? 0 : 1)
        }
        try #require(child > 0)
        var status: Int32 = -1
        #expect(unsafe waitpid(child, &status, 0) == child && status == 0)
        let still = (array(secret.bytes), array(memory.bytes)[9])
        #expect(still == ([UInt8](repeating: 0x5a, count: 64), 0x5a))
    }

    @Test func `Secrets are compared octet by octet`() throws {
        let octets = (0..<48).map { UInt8($0) }
        let secret = try Secret(octets)
        let same = try secret.duplicate()
        let shorter = try Secret(Array(octets.dropLast()))
        let (isSame, isShorter) = (secret == same, secret == shorter)
        #expect(isSame && !isShorter)
        for position in octets.indices {
            var changed = octets
            changed[position] ^= 1
            let other = try Secret(changed)
            let isSame = secret == other
            #expect(!isSame, "\(position)")
        }
        let areSame = haveSameOctets([UInt8]().raw, [UInt8]().raw)
        #expect(areSame)
    }

    @Test func `What may not be locked says so, and the way out`() {
        let error = CryptoError.lockedMemory(
            step: "mlock", octets: 16384, limit: 8192, reason: "Cannot allocate memory")
        #expect(
            "\(error)" == """
                16384 octets of memory for keys: mlock: Cannot allocate memory; this process may lock 8192 octets. \
                Raise RLIMIT_MEMLOCK (ulimit -l, or LimitMEMLOCK= of a systemd unit), or grant CAP_IPC_LOCK.
                """)
    }

    @Test func `Random octets are random`() throws {
        var random = SystemRandom()
        let one = try Secret(byteCount: 128, from: &random)
        let other = try Secret(byteCount: 128, from: &random)
        let areSame = one == other
        #expect(!areSame)
        // More than the kernel gives at a time.
        var long = [UInt8](repeating: 0, count: 1000)
        write(&long) { random.fill(&$0) }
        #expect(
            Set(long).count > 200 && long[256...].contains { $0 != 0 } && long[990...].contains { $0 != 0 })
    }
}
