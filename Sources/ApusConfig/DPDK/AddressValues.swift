public import ApusWire

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
