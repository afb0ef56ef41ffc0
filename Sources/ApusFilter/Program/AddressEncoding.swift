import ApusWire
import CFilter

// Addresses as the program has them: `struct apus_address` of BPF/Filter/filter.h.

extension apus_address {
    /// An address in network order, an IPv4 address mapped into IPv6.
    init(_ address: IPAddress) {
        switch address {
        case .v4(let ipv4):
            self.init(high: 0, low: (0xffff_0000_0000 | UInt64(ipv4.bits)).bigEndian)
        case .v6(let ipv6):
            self.init(high: ipv6.high.bigEndian, low: ipv6.low.bigEndian)
        }
    }

    /// The first `mask` bits of 128.
    init(mask: Int) {
        self.init(
            high: (~(UInt64.max >> UInt64(min(mask, 64)))).bigEndian,
            low: (~(UInt64.max >> UInt64(max(0, mask - 64)))).bigEndian)
    }

    /// The address; one that is mapped is IPv4's.
    var address: IPAddress {
        let address = IPv6Address(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        return address.isIPv4Mapped
            ? .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: address.low))) : .v6(address)
    }

    static func & (left: apus_address, right: apus_address) -> apus_address {
        apus_address(high: left.high & right.high, low: left.low & right.low)
    }
}

extension AddressPrefix {
    /// Its length where IPv4 addresses are mapped into IPv6.
    var mappedLength: Int { length + 128 - address.bitCount }

    /// 4 or 6.
    var family: UInt8 { address.bitCount == 32 ? 4 : 6 }
}
