/// A VLAN tag (IEEE 802.1Q section 9): its protocol identifier and control information.
@frozen
public struct VLANTag: Hashable, Sendable, BitwiseCopyable {
    /// 0x8100, or 0x88a8 for a service tag.
    public var tagProtocol: EtherType
    /// Priority in the upper 3 bits, drop eligible indicator, VLAN identifier in the low 12.
    public var control: UInt16

    /// Joins a protocol identifier and control information.
    @inlinable @inline(__always)
    public init(tagProtocol: EtherType = .vlan, control: UInt16) {
        (self.tagProtocol, self.control) = (tagProtocol, control)
    }

    @inlinable @inline(__always)
    init(bits: UInt32) {
        self.init(
            tagProtocol: EtherType(rawValue: UInt16(truncatingIfNeeded: bits >> 16)),
            control: UInt16(truncatingIfNeeded: bits))
    }

    /// The tag as a number, as on the wire.
    @inlinable @inline(__always)
    var bits: UInt32 { UInt32(tagProtocol.rawValue) << 16 | UInt32(control) }

    /// Makes a tag of its parts: `identifier` below 4096, `priority` below 8; higher bits are cut off.
    @inlinable
    public init(
        tagProtocol: EtherType = .vlan, identifier: UInt16, priority: UInt8 = 0, isDropEligible: Bool = false
    ) {
        let upper = UInt16(priority) << 13 | (isDropEligible ? 0x1000 : 0)
        self.init(tagProtocol: tagProtocol, control: upper | identifier & 0xfff)
    }

    /// The VLAN, 0 to 4095; 0 means that the frame only has a priority.
    @inlinable public var identifier: UInt16 { control & 0xfff }
    /// The priority code point, 0 to 7.
    @inlinable public var priority: UInt8 { UInt8(control >> 13) }
    /// Whether the frame may be dropped first.
    @inlinable public var isDropEligible: Bool { control & 0x1000 != 0 }
}

/// The VLAN tags of a frame: none, one, or two (QinQ, IEEE 802.1ad).
@frozen
public struct VLANTags: Hashable, Sendable, BitwiseCopyable {
    /// The outer tag in the upper half, the inner one in the lower, each as on the wire; 0 where there is none.
    /// One word, so that it is copied at once with whatever holds it.
    @usableFromInline let word: UInt64
    /// How many there are, 0 to 2.
    public let count: UInt8

    @inlinable @inline(__always)
    init(word: UInt64, count: UInt8) { (self.word, self.count) = (word, count) }

    /// No tag.
    @inlinable @inline(__always)
    public init() { self.init(word: 0, count: 0) }

    /// One tag.
    @inlinable @inline(__always)
    public init(_ tag: VLANTag) { self.init(word: UInt64(tag.bits) << 32, count: 1) }

    /// Two tags, the outer one first on the wire.
    @inlinable @inline(__always)
    public init(outer: VLANTag, inner: VLANTag) {
        self.init(word: UInt64(outer.bits) << 32 | UInt64(inner.bits), count: 2)
    }

    /// The outermost tag.
    @inlinable @inline(__always)
    public var outer: VLANTag? {
        count > 0 ? VLANTag(bits: UInt32(truncatingIfNeeded: word >> 32)) : nil
    }

    /// The tag nearest the payload when there are two.
    @inlinable @inline(__always)
    public var inner: VLANTag? { count > 1 ? VLANTag(bits: UInt32(truncatingIfNeeded: word)) : nil }

    /// The octets the tags take in a frame: 0, 4 or 8.
    @inlinable @inline(__always)
    public var byteCount: Int { Int(count) &* 4 }
}
