import Glibc

/// An IPv4 address (RFC 791 section 3.2).
@frozen
public struct IPv4Address: Hashable, Sendable, BitwiseCopyable {
    /// The address as a number, the first octet on the wire most significant.
    public let bits: UInt32

    /// Makes an address of its number: `0xc000_0201` is `192.0.2.1`.
    @inlinable
    public init(bits: UInt32) { self.bits = bits }

    /// `0.0.0.0`: as a listening address, any address of the host.
    public static let any = IPv4Address(bits: 0)

    /// `255.255.255.255`.
    public static let broadcast = IPv4Address(bits: .max)

    /// `224.0.0.0/4` (RFC 5771).
    @inlinable
    public var isMulticast: Bool { bits >> 28 == 0xe }

    /// `127.0.0.0/8` (RFC 1122 section 3.2.1.3).
    @inlinable
    public var isLoopback: Bool { bits >> 24 == 127 }

    /// `169.254.0.0/16` (RFC 3927).
    @inlinable
    public var isLinkLocal: Bool { bits >> 16 == 0xa9fe }
}

/// An IPv6 address (RFC 4291).
@frozen
public struct IPv6Address: Hashable, Sendable, BitwiseCopyable {
    /// The first eight octets as a number, the first octet on the wire most significant.
    public let high: UInt64
    /// The last eight octets as a number.
    public let low: UInt64

    /// Makes an address of its two halves.
    @inlinable
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// `::`: as a listening address, any address of the host.
    public static let any = IPv6Address(high: 0, low: 0)

    /// `::1`.
    public static let loopback = IPv6Address(high: 0, low: 1)

    /// `ff00::/8`.
    @inlinable
    public var isMulticast: Bool { high >> 56 == 0xff }

    /// `fe80::/10`.
    @inlinable
    public var isLinkLocal: Bool { high >> 54 == 0x3fa }

    /// `::ffff:0:0/96` (RFC 4291 section 2.5.5.2), which must not be seen on a wire.
    @inlinable
    public var isIPv4Mapped: Bool { high == 0 && low >> 32 == 0xffff }

    /// The solicited-node multicast address of this one (RFC 4291 section 2.7.1).
    @inlinable
    public var solicitedNode: IPv6Address {
        IPv6Address(high: 0xff02_0000_0000_0000, low: 0x0000_0001_ff00_0000 | low & 0xff_ffff)
    }
}

/// An IPv4 or IPv6 address.
@frozen
public enum IPAddress: Hashable, Sendable, BitwiseCopyable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// Whether this is `0.0.0.0` or `::`.
    @inlinable
    public var isAny: Bool {
        switch self {
        case .v4(let address): address == .any
        case .v6(let address): address == .any
        }
    }

    /// Whether this is a multicast address.
    @inlinable
    public var isMulticast: Bool {
        switch self {
        case .v4(let address): address.isMulticast
        case .v6(let address): address.isMulticast
        }
    }
}

extension IPv4Address: LosslessStringConvertible {
    /// Reads four decimal octets, as inet_pton(3) does.
    public init?(_ text: String) {
        var address = in_addr()
        guard !text.utf8.contains(0), unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
        self.init(bits: UInt32(bigEndian: address.s_addr))
    }

    /// Four decimal octets.
    public var description: String { "\(bits >> 24).\(bits >> 16 & 0xff).\(bits >> 8 & 0xff).\(bits & 0xff)" }
}

extension IPv6Address: LosslessStringConvertible {
    /// Reads the text forms of RFC 4291 section 2.2, as inet_pton(3) does.
    public init?(_ text: String) {
        // A C string would end there, and what follows would be taken for nothing.
        guard !text.utf8.contains(0) else { return nil }
        var octets = InlineArray<16, UInt8>(repeating: 0)
        var bytes = octets.mutableSpan
        let read = unsafe bytes.withUnsafeMutableBytes { unsafe inet_pton(AF_INET6, text, $0.baseAddress) }
        guard read == 1 else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for i in 0..<8 { (high, low) = (high << 8 | UInt64(octets[i]), low << 8 | UInt64(octets[i + 8])) }
        self.init(high: high, low: low)
    }

    /// The canonical text form (RFC 5952).
    public var description: String {
        var octets = (high.bigEndian, low.bigEndian)
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            unsafe inet_ntop(AF_INET6, &octets, text.baseAddress, socklen_t(INET6_ADDRSTRLEN))
            return unsafe String(cString: text.baseAddress!)
        }
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads an IPv4 or an IPv6 address, without brackets.
    public init?(_ text: String) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    /// The address without brackets.
    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }
}
