import ApusWire

extension EndHostConfiguration {
    /// The addresses, with the link-local one if there is to be one.
    func checkedAddresses() throws(EndHostError) -> [AddressPrefix] {
        guard !mac.isGroup, mac != .zero else { throw .unusableMAC(mac) }
        guard (68...65535).contains(mtu) else { throw .mtuOutOfRange(mtu) }
        var checked: [AddressPrefix] = []
        for prefix in addresses {
            guard prefix.hasPossibleLength else { throw .prefixTooLong(prefix) }
            guard prefix.hasHost(prefix.address) else { throw .unusableAddress(prefix) }
            guard !checked.contains(where: { $0.address == prefix.address }) else {
                throw .repeatedAddress(prefix.address)
            }
            if prefix.address.isIPv6, mtu < Self.smallestIPv6MTU {
                throw .mtuTooSmallForIPv6(mtu, prefix.address)
            }
            checked.append(prefix)
        }
        let hasLinkLocal = checked.contains { $0.address.isIPv6 && $0.address.isLinkLocal }
        if mtu >= Self.smallestIPv6MTU, !hasLinkLocal {
            checked.append(AddressPrefix(.v6(IPv6Address(linkLocalOf: mac)), length: 64))
        }
        return checked
    }

    /// RFC 8200 section 5.
    static var smallestIPv6MTU: Int { 1280 }
}
