/// The protocols above IP that have a name in the filter's rules; others are `protocol/N`.
enum IPProtocolName {
    /// The names, and the numbers that IANA gave.
    static let all: [(name: String, number: UInt8)] = [
        ("icmp", 1), ("igmp", 2), ("tcp", 6), ("udp", 17), ("gre", 47), ("esp", 50), ("ah", 51),
        ("icmp6", 58),
        ("ospf", 89), ("sctp", 132),
    ]

    /// Other names of theirs, which are not the ones written here.
    static let others = ["icmpv6": "icmp6", "ipv6-icmp": "icmp6", "ospfigp": "ospf", "ipsec": "esp"]

    /// The number of `gre` or `protocol/47`; nil for other texts.
    static func number(of text: String) -> UInt8? {
        if let known = all.first(where: { $0.name == text }) { return known.number }
        guard text.hasPrefix("protocol/") else { return nil }
        let digits = text.dropFirst(9)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt8(digits)
    }

    /// `gre`, or `protocol/253`.
    static func text(_ number: UInt8) -> String {
        all.first { $0.number == number }?.name ?? "protocol/\(number)"
    }

    /// What to say of a text that should be a protocol, perhaps with ports, and is none.
    static func hint(for text: String) -> String? {
        let slash = text.firstIndex(of: "/")
        let word = slash.map { String(text[..<$0]) } ?? text
        if word == "protocol", slash != nil { return "the numbers of protocols are 0 to 255" }
        if word == "sctp", slash != nil { return "ports of SCTP are not looked at; write \"sctp\"" }
        if slash != nil, all.contains(where: { $0.name == word }) {
            return "\(word) has no ports; write \"\(word)\""
        }
        let name =
            others[word.lowercased()]
            ?? nearestName(
                to: word, among: all.map(\.name) + (slash == nil ? [] : ["port", "protocol"]))
        guard let name, name != word else { return nil }
        let rest = slash.map { String(text[$0...].unicodeScalars.prefix(20)).printable } ?? ""
        return "did you mean \"\(name)\(rest)\"?"
    }
}

/// A protocol above IP, as it stands in an object of a file: `"gre"`, `"protocol/47"` or `47`.
struct ServiceProtocol: ConfigurationText {
    let number: UInt8

    static var expectation: String { "a protocol, such as \"udp\", \"gre\" or 47" }

    init(_ text: String) throws(ValueRefusal) {
        guard let number = IPProtocolName.number(of: text) else {
            let isTransport = Transport(rawValue: String(text.prefix { $0 != "/" })) != nil
            throw ValueRefusal(
                expected: Self.expectation, text: text,
                hint: isTransport ? "ports are given by \"ports\"" : IPProtocolName.hint(for: text))
        }
        self.number = number
    }

    private init(number: UInt8) { self.number = number }

    static func read(_ value: JSON5Value) throws(ValueRefusal) -> ServiceProtocol {
        switch value.kind {
        case .string(let text): return try ServiceProtocol(text)
        case .integer(let number):
            if let number = UInt8(exactly: number) { return ServiceProtocol(number: number) }
            throw ValueRefusal(
                expected: expectation, found: value, hint: "the numbers of protocols are 0 to 255")
        default: throw ValueRefusal(expected: expectation, found: value)
        }
    }

    var description: String { IPProtocolName.text(number) }
}
