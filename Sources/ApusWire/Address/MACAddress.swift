/// A 48-bit link-layer address (EUI-48, IEEE 802).
@frozen
public struct MACAddress: Hashable, Sendable, BitwiseCopyable {
    /// The six octets as a number, the first octet on the wire most significant. The upper 16 bits are 0.
    public let bits: UInt64

    /// Makes an address of the low 48 bits of `bits`.
    @inlinable
    public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// `ff:ff:ff:ff:ff:ff`.
    public static let broadcast = MACAddress(bits: .max)

    /// `00:00:00:00:00:00`, which no interface on a network has.
    public static let zero = MACAddress(bits: 0)

    /// Whether the group bit is set: multicast, or broadcast.
    @inlinable
    public var isGroup: Bool { bits & 0x0100_0000_0000 != 0 }
}

extension MACAddress: LosslessStringConvertible {
    /// Reads six hexadecimal octets with colons between them: `02:00:5e:10:00:01`.
    public init?(_ text: String) {
        let octets = text.split(separator: ":", omittingEmptySubsequences: false)
        guard octets.count == 6 else { return nil }
        var bits: UInt64 = 0
        for octet in octets {
            guard (1...2).contains(octet.utf8.count), let value = UInt8(octet, radix: 16), octet.first != "+"
            else { return nil }
            bits = bits << 8 | UInt64(value)
        }
        self.init(bits: bits)
    }

    /// Six lower-case octets with colons between them.
    public var description: String {
        stride(from: 40, through: 0, by: -8).map { shift in
            let octet = String((bits >> UInt64(shift)) & 0xff, radix: 16)
            return octet.utf8.count == 1 ? "0" + octet : octet
        }.joined(separator: ":")
    }
}
