import COpenSSL
import Glibc

/// Memory for keys: whole pages, all zeroes at first, that are kept from swap and core dumps and wiped when this is dropped.
///
/// It is mapped (mmap(2)), locked (mlock(2)), left out of core dumps (`MADV_DONTDUMP`), and all zeroes in the child after
/// fork(2) (`MADV_WIPEONFORK`, madvise(2)): a child has no keys of its parent's, and has to make its own. All of that is
/// granted, or making it fails. It is for records of many keys; a single one goes into a ``Secret``.
@safe public struct LockedMemory: ~Copyable, @unchecked Sendable {
    @usableFromInline let start: UnsafeMutableRawPointer
    /// How many octets there are: what was asked for.
    public let byteCount: Int

    /// Maps memory.
    ///
    /// - Parameter byteCount: how many octets, at least 1; it is rounded up to whole pages, of which all count for
    ///   RLIMIT_MEMLOCK.
    public init(byteCount: Int) throws(CryptoError) {
        precondition(byteCount > 0, "no octets of locked memory")
        unsafe start = try Self.map(byteCount)
        self.byteCount = byteCount
    }

    // Sound: so many octets were mapped, and nothing borrows them any more. What the kernel unlocks and unmaps is zeroes.
    deinit {
        unsafe OPENSSL_cleanse(start, byteCount)
        unsafe munmap(start, byteCount)
    }

    /// The octets.
    public var bytes: RawSpan {
        // Sound: they are mapped as long as this lives, which the span does not outlive.
        @_lifetime(borrow self) @inlinable get {
            let span = unsafe RawSpan(_unsafeStart: start, byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The octets, to be written.
    public var mutableBytes: MutableRawSpan {
        // Sound: as above, and nothing else reads or writes them meanwhile.
        @_lifetime(&self) @inlinable mutating get {
            let span = unsafe MutableRawSpan(_unsafeStart: start, byteCount: byteCount)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// Pages that nobody else has.
    static func map(_ byteCount: Int) throws(CryptoError) -> UnsafeMutableRawPointer {
        func refusal(_ step: String) -> CryptoError {
            let code = errno
            var limit = rlimit()
            // Sound: the kernel writes the structure.
            unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit)
            return .lockedMemory(
                step: step, octets: byteCount, limit: UInt64(limit.rlim_cur),
                reason: unsafe String(cString: strerror(code)))
        }
        // Sound: a new mapping, which is in nobody's way.
        guard
            let start = unsafe mmap(
                nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe start != MAP_FAILED
        else { throw refusal("mmap") }
        // Before it is locked, and with that touched.
        var refused: String?
        if unsafe madvise(start, byteCount, MADV_DONTDUMP) != 0 {
            refused = "MADV_DONTDUMP"
        } else if unsafe madvise(start, byteCount, MADV_WIPEONFORK) != 0 {
            refused = "MADV_WIPEONFORK"
        } else if unsafe mlock(start, byteCount) != 0 {
            refused = "mlock"
        }
        if let refused {
            let error = refusal(refused)
            unsafe munmap(start, byteCount)
            throw error
        }
        return unsafe start
    }
}
