public import ApusWire

/// What an entry of the filter's lists is about.
///
/// | text | what it is |
/// |---|---|
/// | `198.51.100.0/24`, `2001:db8::1` | packets from there |
/// | `udp/5004`, `tcp/6000-6063`, `port/53` | packets to these ports; `port` means both TCP and UDP |
/// | `from:udp/11211` | packets from these ports |
/// | `gre`, `protocol/47` | packets of this protocol above IP |
public enum FilterSubject: Hashable, Sendable, ConfigurationText {
    /// The network that packets come from; no bit is set behind the prefix.
    case source(AddressPrefix)
    /// The port that packets go to.
    case port(PortRange)
    /// The port that packets come from, which tells reflection attacks.
    case sourcePort(PortRange)
    /// The protocol above IP: of IPv6 the one behind the extension headers.
    case ipProtocol(UInt8)

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "an address, a prefix, ports or a protocol, such as \"198.51.100.0/24\", \"udp/5004\", \"from:udp/11211\" or \"gre\""
    }

    /// Reads one of the texts above.
    public init(_ text: String) throws(ValueRefusal) {
        if let prefix = try FilterPrefix.read(text) {
            self = .source(prefix)
        } else if text.hasPrefix("from:") {
            self = .sourcePort(try Self.sourcePorts(String(text.dropFirst(5)), in: text))
        } else if let service = Self.destination(in: text) {
            throw ValueRefusal(
                expected: Self.expectation, text: text,
                hint: "lists have no destinations; a limit has them, as its service \"\(service)\"")
        } else {
            self = try Self.traffic(text, expected: Self.expectation)
        }
    }

    /// As it is read.
    public var description: String {
        switch self {
        case .source(let prefix): FilterPrefix.text(prefix)
        case .port(let ports): "\(ports)"
        case .sourcePort(let ports): "from:\(ports)"
        case .ipProtocol(let number): IPProtocolName.text(number)
        }
    }

    /// How those that are no addresses begin; what ends with a slash goes on.
    package static var beginnings: [String] {
        let kinds = ["tcp/", "udp/", "port/"]
        return kinds + kinds.map { "from:\($0)" } + IPProtocolName.all.map(\.name) + ["protocol/"]
    }

    private static func sourcePorts(_ rest: String, in text: String) throws(ValueRefusal) -> PortRange {
        if AddressPrefix(rest) != nil || IPAddress(rest) != nil {
            throw ValueRefusal(
                expected: "ports behind \"from:\", such as \"from:udp/11211\"", text: text,
                hint: "addresses are those that packets come from in any case: \"\(rest)\"")
        }
        // `udp/53` is itself what it would be meant for.
        if let ports = try? PortRange(rest) { return ports }
        if let hint = PortRange.hint(for: rest, behind: "from:") {
            throw ValueRefusal(expected: PortRange.expectation, text: text, hint: hint)
        }
        return try PortRange(rest)
    }

    /// The service of a limit that a text is, if it has a destination.
    private static func destination(in text: String) -> FilterService? {
        guard text.contains(" "), let service = try? FilterService(text), service.destination != nil else {
            return nil
        }
        return service
    }

    /// Reads destination ports or a protocol.
    static func traffic(_ text: String, expected: String) throws(ValueRefusal) -> FilterSubject {
        if let number = IPProtocolName.number(of: text) { return .ipProtocol(number) }
        let word = text.prefix { $0 != "/" }
        if word == "tcp" || word == "udp" || word == "port" { return .port(try PortRange(text)) }
        if case .range(let range) = PortRange.range(of: text[...]) {
            let ports = PortRange.text(range)
            let number = UInt8(text).map { " or \"protocol/\($0)\"" } ?? ""
            throw ValueRefusal(
                expected: expected, text: text,
                hint: "ports of what? \"tcp/\(ports)\", \"udp/\(ports)\", \"port/\(ports)\" for both\(number)"
            )
        }
        throw ValueRefusal(
            expected: expected, text: text,
            hint: FilterPrefix.hint(for: text) ?? PortRange.hint(for: text) ?? IPProtocolName.hint(for: text))
    }
}

/// An entry of the filter's lists: what it is about, and what becomes of it.
public struct FilterEntry: Hashable, Sendable {
    /// What it is about.
    public var subject: FilterSubject
    /// What becomes of those packets. Those of an allowed source pass without limits.
    public var verdict: FilterPolicy
    /// How long it holds from when it is put in force; nil means for good.
    public var lifetime: FilterDuration?
    /// Whether the limits apply to it all the same: for allowed sources alone.
    public var isLimited: Bool
    /// Where it was written.
    public var map: SourceMap

    /// An entry that holds for good, unless a time is given.
    public init(
        _ subject: FilterSubject, _ verdict: FilterPolicy, lifetime: FilterDuration? = nil,
        isLimited: Bool = false,
        map: SourceMap = SourceMap()
    ) {
        self.subject = subject
        self.verdict = verdict
        self.lifetime = lifetime
        self.isLimited = isLimited
        self.map = map
    }
}
