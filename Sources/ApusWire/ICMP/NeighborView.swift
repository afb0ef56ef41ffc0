/// A neighbor solicitation or advertisement (RFC 4861 sections 4.3 and 4.4), found to be one that a host
/// must not discard (section 7.1).
@frozen
public struct NeighborView: ~Escapable, BitwiseCopyable {
    /// The ICMPv6 message.
    public let bytes: RawSpan
    /// The link-layer address given along: the source's in a solicitation, the target's in an advertisement.
    public let linkLayerAddress: MACAddress?

    /// Checks the message at `offset` of an IPv6 packet: lengths, checksum, hop limit, and what else
    /// section 7.1 asks for. `offset` is where `packet.upperLayer()` found ICMPv6.
    ///
    /// - Throws: `otherICMPType` if the message is neither; `truncatedICMP`, `badICMPChecksum`,
    ///   `badNeighborMessage`.
    @_lifetime(copy packet)
    public init(checking packet: IPv6View, at offset: Int) throws(ParseFailure) {
        guard offset >= 40, offset <= packet.bytes.byteCount else { throw .truncatedICMP }
        // `offset` is inside the packet.
        let message = try ICMPv6View(checking: unsafe packet.bytes.slice(offset, packet.bytes.byteCount))
        guard message.type == 135 || message.type == 136 else { throw .otherICMPType }
        guard message.bytes.byteCount >= 24 else { throw .truncatedICMP }
        let (source, destination) = (packet.source, packet.destination)
        guard message.isChecksumValid(source: source, destination: destination) else {
            throw .badICMPChecksum
        }
        guard packet.hopLimit == 255, message.code == 0 else { throw .badNeighborMessage }
        // 24 octets are there.
        let target = unsafe message.bytes.ipv6(8)
        guard !target.isMulticast else { throw .badNeighborMessage }
        let isSolicitation = message.type == 135
        let address = try Self.linkLayerAddress(
            unsafe message.bytes.slice(24, message.bytes.byteCount), option: isSolicitation ? 1 : 2)
        if isSolicitation, source == .any {
            guard address == nil, destination == target.solicitedNode else { throw .badNeighborMessage }
        }
        if !isSolicitation, destination.isMulticast {
            guard unsafe message.bytes.octet(4) & 0x40 == 0 else { throw .badNeighborMessage }
        }
        (bytes, linkLayerAddress) = (message.bytes, address)
    }

    /// Goes through the options (RFC 4861 section 4.6), none of which may have length 0. Unknown ones are
    /// skipped; a link-layer address that is not Ethernet's is none.
    static func linkLayerAddress(_ options: RawSpan, option: UInt8) throws(ParseFailure) -> MACAddress? {
        var address: MACAddress?
        var offset = 0
        while offset < options.byteCount {
            guard options.byteCount &- offset >= 8 else { throw .badNeighborMessage }
            // Eight octets are there.
            let length = unsafe Int(options.octet(offset &+ 1)) &* 8
            guard length > 0, length <= options.byteCount &- offset else { throw .badNeighborMessage }
            if length == 8, unsafe options.octet(offset) == option {
                address = unsafe options.mac(offset &+ 2)
            }
            offset &+= length
        }
        return address
    }

    // The accessors are sound because a view has at least 24 octets.

    /// Whether this asks for an address; else it tells one.
    @inlinable public var isSolicitation: Bool { unsafe bytes.octet(0) == 135 }
    /// The address asked for, or told of.
    @inlinable public var target: IPv6Address { unsafe bytes.ipv6(8) }
    /// Whether an advertisement comes from a router.
    @inlinable public var isRouter: Bool { unsafe !isSolicitation && bytes.octet(4) & 0x80 != 0 }
    /// Whether an advertisement answers a solicitation.
    @inlinable public var isSolicited: Bool { unsafe !isSolicitation && bytes.octet(4) & 0x40 != 0 }
    /// Whether an advertisement replaces what is known of the target.
    @inlinable public var isOverride: Bool { unsafe !isSolicitation && bytes.octet(4) & 0x20 != 0 }
}

/// The values of a neighbor solicitation or advertisement, to be written.
@frozen
public struct NeighborMessage: Hashable, Sendable, BitwiseCopyable {
    /// The type and, for an advertisement, its flags: the first octet and the fifth.
    @usableFromInline let type: UInt8
    @usableFromInline let flags: UInt8
    /// The address asked for, or told of.
    public let target: IPv6Address
    /// The link-layer address given along; nil in a probe for duplicates.
    public let linkLayerAddress: MACAddress?

    /// Asks whether anybody has `target`, which the sender is about to use (RFC 4862 section 5.4.2). Its source is `::`
    /// and its destination the solicited-node group.
    @inlinable
    public init(probing target: IPv6Address) {
        (type, flags, self.target, linkLayerAddress) = (135, 0, target, nil)
    }

    /// Asks for the link-layer address of `target`, and gives the sender's own.
    @inlinable
    public init(soliciting target: IPv6Address, from linkLayerAddress: MACAddress) {
        (type, flags, self.target, self.linkLayerAddress) = (135, 0, target, linkLayerAddress)
    }

    /// Tells the link-layer address of `target`.
    @inlinable
    public init(
        advertising target: IPv6Address, at linkLayerAddress: MACAddress, isRouter: Bool = false,
        isSolicited: Bool = true, isOverride: Bool = true
    ) {
        (type, self.target, self.linkLayerAddress) = (136, target, linkLayerAddress)
        flags = (isRouter ? 0x80 : 0) | (isSolicited ? 0x40 : 0) | (isOverride ? 0x20 : 0)
    }

    /// The octets that `encode` writes: 24, and 8 for a link-layer address.
    @inlinable public var byteCount: Int { linkLayerAddress == nil ? 24 : 32 }

    /// Writes ``byteCount`` octets at the start of `bytes`, the checksum for a packet between these addresses included.
    /// Its hop limit must be 255.
    @inlinable
    public func encode(
        into bytes: inout MutableRawSpan, source: IPv6Address, destination: IPv6Address
    ) throws(EncodeFailure) {
        let count = byteCount
        guard bytes.byteCount >= count else { throw .noRoom }
        // `count` octets are there. Option 1 is the source's address, option 2 the target's; each is 8 octets.
        unsafe bytes.put64(UInt64(type) << 56 | UInt64(flags) << 24, 0)
        unsafe bytes.putIPv6(target, 8)
        if let linkLayerAddress {
            unsafe bytes.put64((type == 135 ? 0x0101 : 0x0201) << 48 | linkLayerAddress.bits, 24)
        }
        var checksum = InternetChecksum(pseudoHeader: source, destination, .icmpv6, length: count)
        unsafe checksum.add(bytes.bytes.slice(0, count))
        unsafe bytes.put16(checksum.value, 2)
    }
}
