/// An Ethernet II frame with up to two VLAN tags (IEEE 802.3 clause 3, 802.1Q section 9), without its
/// frame check sequence.
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct EthernetView: ~Escapable, BitwiseCopyable {
    /// The whole frame.
    public let bytes: RawSpan
    /// The VLAN tags.
    public let tags: VLANTags
    /// What the payload is, behind all tags.
    public let etherType: EtherType

    /// Octets of a header without tags.
    @inlinable public static var headerByteCount: Int { 14 }

    /// Checks that both addresses, the tags and the EtherType are there.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        (tags, etherType) = try Self.tagsAndType(bytes)
        self.bytes = bytes
    }

    /// The tags of a frame and what stands behind them. Apart from the initializer, so that the data path
    /// needs no view as a whole.
    @inlinable @inline(__always)
    static func tagsAndType(_ bytes: RawSpan) throws(ParseFailure) -> (VLANTags, EtherType) {
        guard _fastPath(bytes.byteCount >= 14) else { throw .truncatedEthernet }
        // The load is inside the 14 octets that are there.
        let type = unsafe EtherType(rawValue: bytes.big16(12))
        return _slowPath(type.isVLAN) ? try unsafe tags(bytes, first: type) : (VLANTags(), type)
    }

    /// Reads the tags of a frame of at least 14 octets whose first tag is of protocol `first`. Not inlined, so
    /// that a frame without tags pays for no registers.
    @unsafe @inlinable @inline(never)
    static func tags(_ bytes: RawSpan, first: EtherType) throws(ParseFailure) -> (VLANTags, EtherType) {
        // Each load is of octets that a guard before it found.
        guard bytes.byteCount >= 18 else { throw .truncatedEthernet }
        let outer = unsafe VLANTag(tagProtocol: first, control: bytes.big16(14))
        let second = unsafe EtherType(rawValue: bytes.big16(16))
        if !second.isVLAN { return (VLANTags(outer), second) }
        guard bytes.byteCount >= 22 else { throw .truncatedEthernet }
        let inner = unsafe VLANTag(tagProtocol: second, control: bytes.big16(18))
        let third = unsafe EtherType(rawValue: bytes.big16(20))
        if third.isVLAN { throw .tooManyVLANTags }
        return (VLANTags(outer: outer, inner: inner), third)
    }

    // The accessors are sound because a view has at least 14 + tags.byteCount octets.

    /// The link-layer destination.
    @inlinable public var destination: MACAddress { unsafe bytes.mac(0) }
    /// The link-layer source.
    @inlinable public var source: MACAddress { unsafe bytes.mac(6) }
    /// Where the payload begins in the frame: 14, 18 or 22.
    @inlinable public var payloadOffset: Int { 14 &+ tags.byteCount }

    /// What follows the header, including any padding to the smallest frame.
    @inlinable
    public var payload: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(payloadOffset, bytes.byteCount) }
    }
}

/// The values of an Ethernet header, to be written.
@frozen
public struct EthernetHeader: Hashable, Sendable, BitwiseCopyable {
    /// The link-layer destination.
    public var destination: MACAddress
    /// The link-layer source.
    public var source: MACAddress
    /// The VLAN tags.
    public var tags: VLANTags
    /// What the payload is, behind all tags.
    public var etherType: EtherType

    /// Joins the values.
    @inlinable
    public init(
        destination: MACAddress, source: MACAddress, tags: VLANTags = VLANTags(), etherType: EtherType
    ) {
        (self.destination, self.source) = (destination, source)
        (self.tags, self.etherType) = (tags, etherType)
    }

    /// The values a frame has.
    @inlinable
    public init(_ view: EthernetView) {
        self.init(
            destination: view.destination, source: view.source, tags: view.tags, etherType: view.etherType)
    }

    /// The octets that `encode` writes: 14, 18 or 22.
    @inlinable @inline(__always)
    public var byteCount: Int { 14 &+ tags.byteCount }

    /// Writes the header at the start of `bytes`.
    @inlinable @inline(__always)
    public func encode(into bytes: inout MutableRawSpan) throws(EncodeFailure) {
        guard bytes.byteCount >= byteCount else { throw .noRoom }
        unsafe write(&bytes)
    }

    /// Writes the header into a span that has the room.
    @unsafe @inlinable @inline(__always)
    func write(_ bytes: inout MutableRawSpan) {
        unsafe bytes.putMAC(destination, 0)
        unsafe bytes.putMAC(source, 6)
        var offset = 12
        if let tag = tags.outer {
            unsafe bytes.put16(tag.tagProtocol.rawValue, 12)
            unsafe bytes.put16(tag.control, 14)
            offset = 16
        }
        if let tag = tags.inner {
            unsafe bytes.put16(tag.tagProtocol.rawValue, 16)
            unsafe bytes.put16(tag.control, 18)
            offset = 20
        }
        unsafe bytes.put16(etherType.rawValue, offset)
    }
}
