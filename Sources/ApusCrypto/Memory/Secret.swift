import COpenSSL

/// A key, or what keys are made of: at most 128 octets in locked memory (``LockedMemory``), which are wiped when it is dropped.
///
/// It can't be copied but by ``duplicate()``, and has no description, so neither `print` nor an interpolation nor a log takes
/// it. Its octets are lent as spans, which don't outlive it. It costs a lock and some tens of nanoseconds to make and to
/// drop, so it is not for packets: what a packet needs of a key is lent from where it lies.
@safe public struct Secret: ~Copyable, @unchecked Sendable {
    /// How many octets it can have at most.
    public static let longest = 128

    @usableFromInline let start: UnsafeMutableRawPointer
    /// How many octets it has.
    public let byteCount: Int

    /// So many octets, all zeroes, to be written.
    ///
    /// - Parameter byteCount: 0...``longest``.
    public init(byteCount: Int) throws(CryptoError) {
        precondition(0...Self.longest ~= byteCount, "a secret of \(byteCount) octets")
        unsafe start = try SecretArena.secrets.take()
        self.byteCount = byteCount
    }

    /// A copy of octets. Where they come from is for the caller to wipe.
    public init(copying octets: RawSpan) throws(CryptoError) {
        try self.init(byteCount: octets.byteCount)
        copy(octets)
    }

    /// So many octets of a source of randomness.
    public init<Source: RandomSource & ~Copyable>(byteCount: Int, from random: inout Source)
        throws(CryptoError)
    {
        try self.init(byteCount: byteCount)
        var bytes = mutableBytes
        random.fill(&bytes)
    }

    // Sound: nothing borrows it any more.
    deinit { unsafe SecretArena.secrets.give(start) }

    /// A second one of the same octets.
    public func duplicate() throws(CryptoError) -> Secret { try Secret(copying: bytes) }

    /// The octets.
    public var bytes: RawSpan {
        // Sound: the slot is its own as long as it lives, which the span does not outlive.
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

    /// Whether both are the same, in a time that depends on their lengths alone.
    public static func == (a: borrowing Secret, b: borrowing Secret) -> Bool {
        haveSameOctets(a.bytes, b.bytes)
    }

    /// Writes octets at a place.
    mutating func copy(_ octets: RawSpan, to offset: Int = 0) {
        precondition(offset + octets.byteCount <= byteCount)
        // Sound: the room is there, and may even be where the octets are.
        unsafe octets.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            unsafe (start + offset).copyMemory(from: from, byteCount: source.count)
        }
    }

    /// Copies some octets of another one to a place.
    mutating func copy(_ range: Range<Int>, of other: borrowing Secret, to offset: Int) {
        copy(other.part(range), to: offset)
    }

    /// Copies some of its own octets to a place.
    mutating func move(_ range: Range<Int>, to offset: Int) {
        precondition(range.upperBound <= byteCount && offset + range.count <= byteCount)
        // Sound: both are inside, and may overlap.
        unsafe (start + offset).copyMemory(from: start + range.lowerBound, byteCount: range.count)
    }

    /// Part of the octets, in which many lie.
    @_lifetime(borrow self)
    func part(_ range: Range<Int>) -> RawSpan {
        let span = bytes.extracting(range)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

/// Whether octets are the same, in a time that depends on how many they are alone (CRYPTO_memcmp(3)): for tags, tokens and keys.
public func haveSameOctets(_ a: RawSpan, _ b: RawSpan) -> Bool {
    guard a.byteCount == b.byteCount else { return false }
    guard a.byteCount > 0 else { return true }
    // Sound: both are so long.
    return unsafe a.withUnsafeBytes { a in
        unsafe b.withUnsafeBytes { unsafe CRYPTO_memcmp(a.baseAddress, $0.baseAddress, a.count) == 0 }
    }
}
