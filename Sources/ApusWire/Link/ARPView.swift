/// An ARP message for IPv4 over Ethernet (RFC 826).
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct ARPView: ~Escapable, BitwiseCopyable {
    /// The message, without the frame's padding.
    public let bytes: RawSpan

    /// Octets of a message for IPv4 over Ethernet.
    @inlinable public static var byteCount: Int { 28 }

    /// Checks that a whole message for IPv4 over Ethernet is there.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard bytes.byteCount >= 8 else { throw .truncatedARP }
        // Eight octets are there: hardware 1, protocol 0x0800, address lengths 6 and 4.
        guard unsafe bytes.big32(0) == 0x0001_0800, unsafe bytes.big16(4) == 0x0604 else {
            throw .unsupportedARP
        }
        guard bytes.byteCount >= 28 else { throw .truncatedARP }
        self.bytes = unsafe bytes.slice(0, 28)
    }

    // The accessors are sound because a view has 28 octets.

    /// The operation: 1 asks, 2 answers.
    @inlinable public var operation: UInt16 { unsafe bytes.big16(6) }
    /// Whether the message asks for an address.
    @inlinable public var isRequest: Bool { operation == 1 }
    /// Whether the message answers.
    @inlinable public var isReply: Bool { operation == 2 }
    /// Who sends.
    @inlinable public var senderMAC: MACAddress { unsafe bytes.mac(8) }
    /// The sender's address.
    @inlinable public var senderAddress: IPv4Address { unsafe bytes.ipv4(14) }
    /// Whom it is for; zero in a request.
    @inlinable public var targetMAC: MACAddress { unsafe bytes.mac(18) }
    /// The address asked for, or that of whom is answered.
    @inlinable public var targetAddress: IPv4Address { unsafe bytes.ipv4(24) }
}

/// The values of an ARP message, to be written.
@frozen
public struct ARPMessage: Hashable, Sendable, BitwiseCopyable {
    /// The operation: 1 asks, 2 answers.
    public var operation: UInt16
    /// Who sends.
    public var senderMAC: MACAddress
    /// The sender's address.
    public var senderAddress: IPv4Address
    /// Whom it is for; zero in a request.
    public var targetMAC: MACAddress
    /// The address asked for, or that of whom is answered.
    public var targetAddress: IPv4Address

    /// The values a message has.
    @inlinable
    public init(_ view: ARPView) {
        operation = view.operation
        (senderMAC, senderAddress) = (view.senderMAC, view.senderAddress)
        (targetMAC, targetAddress) = (view.targetMAC, view.targetAddress)
    }

    /// Asks who has `address`.
    @inlinable
    public init(asking address: IPv4Address, from senderMAC: MACAddress, _ senderAddress: IPv4Address) {
        operation = 1
        (self.senderMAC, self.senderAddress) = (senderMAC, senderAddress)
        (targetMAC, targetAddress) = (.zero, address)
    }

    /// Answers `request` with the link-layer address of what it asked for.
    @inlinable
    public init(answering request: ARPView, with senderMAC: MACAddress) {
        operation = 2
        (self.senderMAC, senderAddress) = (senderMAC, request.targetAddress)
        (targetMAC, targetAddress) = (request.senderMAC, request.senderAddress)
    }

    /// Writes 28 octets at the start of `bytes`.
    @inlinable
    public func encode(into bytes: inout MutableRawSpan) throws(EncodeFailure) {
        guard bytes.byteCount >= 28 else { throw .noRoom }
        // 28 octets are there.
        unsafe bytes.put64(0x0001_0800_0604_0000 | UInt64(operation), 0)
        unsafe bytes.putMAC(senderMAC, 8)
        unsafe bytes.put32(senderAddress.bits, 14)
        unsafe bytes.putMAC(targetMAC, 18)
        unsafe bytes.put32(targetAddress.bits, 24)
    }
}
