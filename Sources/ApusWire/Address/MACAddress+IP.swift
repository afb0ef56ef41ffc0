extension MACAddress {
    /// The group address of an IP multicast address: for IPv4 01:00:5e and the low 23 bits (RFC 1112 section 6.4),
    /// for IPv6 33:33 and the low 32 bits (RFC 2464 section 7).
    public init(multicast address: IPAddress) {
        switch address {
        case .v4(let group): self.init(bits: 0x0100_5e00_0000 | UInt64(group.bits & 0x7f_ffff))
        case .v6(let group): self.init(bits: 0x3333_0000_0000 | group.low & 0xffff_ffff)
        }
    }
}

extension IPv6Address {
    /// The link-local address that an interface makes of its link-layer address: `fe80::` and the modified EUI-64, in
    /// which `ff:fe` stands in the middle and the universal bit is flipped (RFC 4291 appendix A, RFC 2464 section 5).
    public init(linkLocalOf mac: MACAddress) {
        let identifier = (mac.bits >> 24) << 40 | 0xff_fe00_0000 | mac.bits & 0xff_ffff
        self.init(high: 0xfe80 << 48, low: identifier ^ 0x0200_0000_0000_0000)
    }

    /// All nodes of the link, `ff02::1` (RFC 4291 section 2.7.1).
    public static let allNodes = IPv6Address(high: 0xff02 << 48, low: 1)
}
