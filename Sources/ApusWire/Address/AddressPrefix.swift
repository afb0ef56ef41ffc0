/// An address and how many of its bits the network has: `192.0.2.1/24`.
@frozen
public struct AddressPrefix: Hashable, Sendable, BitwiseCopyable, LosslessStringConvertible {
    /// The address as it was written, with the bits behind the prefix.
    public var address: IPAddress
    /// How many bits the network has: 0 to 32, or to 128.
    public var length: Int

    /// Joins an address and the length of its prefix, which must not be longer than the address.
    public init(_ address: IPAddress, length: Int) {
        precondition((0...address.bitCount).contains(length), "no address has a prefix of \(length) bits")
        (self.address, self.length) = (address, length)
    }

    /// Reads `192.0.2.1/24` or `2001:db8::1/64`.
    public init?(_ text: String) {
        guard let slash = text.lastIndex(of: "/"), let address = IPAddress(String(text[..<slash])) else {
            return nil
        }
        let digits = text[text.index(after: slash)...]
        guard let length = Int(digits), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            length <= address.bitCount
        else { return nil }
        self.init(address, length: length)
    }

    /// As it is read.
    public var description: String { "\(address)/\(length)" }

    /// The network: the same without the bits behind the prefix.
    public var network: AddressPrefix { AddressPrefix(address.masked(to: length), length: length) }

    /// Whether the address is the network's and no host's.
    public var isNetwork: Bool { network.address == address }

    /// Whether it is one address alone, as all its bits are the network's.
    public var isAddress: Bool { length == address.bitCount }

    /// Whether an address is in the network.
    public func contains(_ other: IPAddress) -> Bool {
        other.bitCount == address.bitCount && other.masked(to: length) == address.masked(to: length)
    }

    /// The address that means all hosts of an IPv4 network (RFC 919); nil where there is none (RFC 3021).
    public var broadcast: IPAddress? {
        guard case .v4(let own) = address, length < 31 else { return nil }
        return .v4(IPv4Address(bits: own.bits | UInt32.max >> UInt32(length)))
    }
}

extension IPAddress {
    /// The bits of an address: 32 or 128.
    @inlinable
    public var bitCount: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    fileprivate func masked(to length: Int) -> IPAddress {
        switch self {
        // A shift by all bits or more gives 0.
        case .v4(let address): .v4(IPv4Address(bits: address.bits & ~(UInt32.max >> length)))
        case .v6(let address):
            .v6(
                IPv6Address(
                    high: address.high & ~(UInt64.max >> min(length, 64)),
                    low: address.low & ~(UInt64.max >> max(0, length - 64))))
        }
    }
}

extension IPAddress {
    /// How many of the first bits are the same in both; 0 for addresses of different families.
    public func commonBits(with other: IPAddress) -> Int {
        switch (self, other) {
        case (.v4(let a), .v4(let b)): (a.bits ^ b.bits).leadingZeroBitCount
        case (.v6(let a), .v6(let b)):
            a.high == b.high
                ? 64 + (a.low ^ b.low).leadingZeroBitCount : (a.high ^ b.high).leadingZeroBitCount
        default: 0
        }
    }
}
