import ApusWire

/// How the filter reads and writes networks: `198.51.100.0/24`, and `2001:db8::1` for one address alone.
enum FilterPrefix {
    static let expectation = "an address or a prefix, such as \"192.0.2.1\" or \"198.51.100.0/24\""

    /// The network in a text; nil if there is none, so that it may be something else.
    static func read(_ text: String) throws(ValueRefusal) -> AddressPrefix? {
        let prefix: AddressPrefix
        if let read = AddressPrefix(text) {
            prefix = read
        } else if let address = IPAddress(text) {
            prefix = AddressPrefix(address, length: address.bitCount)
        } else {
            return nil
        }
        if let refusal = refusal(of: prefix) { throw ValueRefusal(refusal) }
        return prefix
    }

    /// The network in a text that must have one.
    static func required(_ text: String) throws(ValueRefusal) -> AddressPrefix {
        if let prefix = try read(text) { return prefix }
        throw ValueRefusal(expected: expectation, text: text, hint: hint(for: text))
    }

    /// What is wrong with a network that can be had, or nil.
    static func refusal(of prefix: AddressPrefix) -> String? {
        // Both parts may be set by whoever has it.
        guard (0...prefix.address.bitCount).contains(prefix.length) else {
            return
                "a prefix of \(prefix.address) has 0 to \(prefix.address.bitCount) bits, found \(prefix.length)"
        }
        if case .v6(let address) = prefix.address, address.isIPv4Mapped, prefix.length >= 96 {
            let inner = AddressPrefix(
                .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: address.low))), length: prefix.length - 96)
            return "\(text(prefix)) is of IPv4 in the guise of IPv6; write \"\(text(inner.network))\""
        }
        guard !prefix.isNetwork else { return nil }
        return
            "\(prefix) has bits set behind its prefix; write \"\(prefix.network)\", or \"\(prefix.address)\" for the "
            + "one address"
    }

    /// As it is read.
    static func text(_ prefix: AddressPrefix) -> String {
        prefix.isAddress ? "\(prefix.address)" : "\(prefix)"
    }

    /// Whether it is how other tools call all addresses, or all there is.
    static func isAny(_ text: String) -> Bool { ["any", "all", "*"].contains(text.lowercased()) }

    /// What to say of a text that should be a network and is none.
    static func hint(for text: String) -> String? {
        if isAny(text) { return "all addresses are \"0.0.0.0/0\" and \"::/0\"" }
        if let slash = text.lastIndex(of: "/"), let address = IPAddress(String(text[..<slash])) {
            return "a prefix of it has 0 to \(address.bitCount) bits"
        }
        if let end = text.firstIndex(of: ","), IPAddress(String(text[..<end])) != nil {
            return "one at a time, without a comma: \"\(text[..<end])\""
        }
        if let prefixes = prefixes(ofRange: text) {
            return "a range is written as prefixes"
                + (prefixes.count <= 8
                    ? ": " + prefixes.map { "\"\(Self.text($0))\"" }.joined(separator: ", ") : "")
        }
        let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if inner != text, IPAddress(inner) != nil { return "without brackets: \"\(inner)\"" }
        if let percent = text.firstIndex(of: "%"), IPAddress(String(text[..<percent])) != nil {
            return "no zone stands in an address; write \"\(text[..<percent])\""
        }
        let isName = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
        if isName, text.contains("."), text.contains(where: \.isLetter) {
            return "names are not looked up, so write the address"
        }
        return nil
    }
}

extension FilterPrefix {
    /// The prefixes that have the addresses of IPv4 from one to another; nil if the text is no such range.
    private static func prefixes(ofRange text: String) -> [AddressPrefix]? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { IPAddress(String($0)) }
        guard ends.count == 2, case .v4(let first)? = ends[0], case .v4(let last)? = ends[1],
            first.bits <= last.bits
        else { return nil }
        var prefixes: [AddressPrefix] = []
        var (next, left) = (UInt64(first.bits), UInt64(last.bits) - UInt64(first.bits) + 1)
        while left > 0 {
            // As many as are left, and as begin at a multiple of their number.
            let bits = min(
                next == 0 ? 32 : next.trailingZeroBitCount, UInt64.bitWidth - 1 - left.leadingZeroBitCount)
            let address = IPAddress.v4(IPv4Address(bits: UInt32(next)))
            prefixes.append(AddressPrefix(address, length: 32 - bits))
            (next, left) = (next + 1 << bits, left - 1 << bits)
        }
        return prefixes
    }
}

/// A network of the filter's rules, as it stands in a file.
struct FilterNetwork: ConfigurationText {
    let prefix: AddressPrefix

    static var expectation: String { FilterPrefix.expectation }

    init(_ text: String) throws(ValueRefusal) { prefix = try FilterPrefix.required(text) }

    var description: String { FilterPrefix.text(prefix) }
}

/// The length of a prefix without its address: `/24`.
struct PrefixLength: ConfigurationText {
    let bits: UInt8

    static var expectation: String { "the length of a prefix, such as \"/24\"" }

    init(_ text: String) throws(ValueRefusal) {
        let digits = text.dropFirst()
        guard text.first == "/", digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let bits = UInt8(digits)
        else { throw ValueRefusal(expected: Self.expectation, text: text) }
        self.bits = bits
    }

    var description: String { "/\(bits)" }
}
