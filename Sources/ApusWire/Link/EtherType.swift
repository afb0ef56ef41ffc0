/// What an Ethernet frame carries (IEEE 802 "EtherType").
@frozen
public struct EtherType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    /// The number in the frame.
    public var rawValue: UInt16

    /// The EtherType of that number. Below 0x0600 it is a length (IEEE 802.3).
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// IPv4.
    @inlinable public static var ipv4: EtherType { EtherType(rawValue: 0x0800) }
    /// ARP.
    @inlinable public static var arp: EtherType { EtherType(rawValue: 0x0806) }
    /// The customer VLAN tag of 802.1Q.
    @inlinable public static var vlan: EtherType { EtherType(rawValue: 0x8100) }
    /// IPv6.
    @inlinable public static var ipv6: EtherType { EtherType(rawValue: 0x86dd) }
    /// The service VLAN tag of 802.1ad.
    @inlinable public static var serviceVLAN: EtherType { EtherType(rawValue: 0x88a8) }

    /// Whether a tag follows rather than a payload.
    @inlinable @inline(__always)
    public var isVLAN: Bool { rawValue == 0x8100 || rawValue == 0x88a8 }
}
