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
    /// How many there are, 0 to 2.
    public let count: UInt8
    @usableFromInline let first: VLANTag
    @usableFromInline let second: VLANTag

    /// No tag.
    @inlinable @inline(__always)
    public init() {
        (count, first, second) = (0, VLANTag(control: 0), VLANTag(control: 0))
    }

    /// One tag.
    @inlinable @inline(__always)
    public init(_ tag: VLANTag) { (count, first, second) = (1, tag, VLANTag(control: 0)) }

    /// Two tags, the outer one first on the wire.
    @inlinable @inline(__always)
    public init(outer: VLANTag, inner: VLANTag) { (count, first, second) = (2, outer, inner) }

    /// The outermost tag.
    @inlinable @inline(__always)
    public var outer: VLANTag? { count > 0 ? first : nil }

    /// The tag nearest the payload when there are two.
    @inlinable @inline(__always)
    public var inner: VLANTag? { count > 1 ? second : nil }

    /// The octets the tags take in a frame: 0, 4 or 8.
    @inlinable @inline(__always)
    public var byteCount: Int { Int(count) &* 4 }
}
