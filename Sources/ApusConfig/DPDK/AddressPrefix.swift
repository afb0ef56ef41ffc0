public import ApusWire

/// An address and how many of its bits the network has: `192.0.2.1/24`.
public struct AddressPrefix: Hashable, Sendable, CustomStringConvertible {
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
    var bitCount: Int {
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

extension AddressPrefix: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "an address and its prefix, such as \"192.0.2.1/24\"" }

    /// Reads `"192.0.2.1/24"` or `"2001:db8::1/64"`.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> AddressPrefix {
        guard case .string(let text) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        if let prefix = AddressPrefix(text) { return prefix }
        var hint: String?
        if let address = IPAddress(text) {
            hint = "how long is its prefix? \"\(address)/\(address.bitCount == 32 ? 24 : 64)\" is usual"
        } else if let slash = text.lastIndex(of: "/"), let address = IPAddress(String(text[..<slash])) {
            hint = "a prefix of it has 0 to \(address.bitCount) bits"
        }
        throw ValueRefusal(expected: expectation, found: value, hint: hint)
    }
}

extension IPAddress: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "an address, such as \"192.0.2.254\"" }

    /// Reads `"192.0.2.254"` or `"2001:db8::fe"`.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> IPAddress {
        guard case .string(let text) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        if let address = IPAddress(text) { return address }
        let prefix = AddressPrefix(text).map { "without a prefix it is \"\($0.address)\"" }
        throw ValueRefusal(expected: expectation, found: value, hint: prefix)
    }
}

extension MACAddress: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "a link-layer address, such as \"02:00:00:00:00:01\"" }

    /// Reads six hexadecimal octets with colons between them.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> MACAddress {
        guard case .string(let text) = value.kind, let address = MACAddress(text) else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        return address
    }
}
