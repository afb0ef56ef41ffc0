public import ApusWire

/// Where packets go: what a limit is about, or what is management.
///
/// Its text is a destination, a protocol with or without its ports, or both with a space between them:
///
/// | text | packets |
/// |---|---|
/// | `udp/5004`, `tcp/80-90`, `port/53` | to these ports; `port` means both TCP and UDP |
/// | `udp`, `icmp`, `protocol/47` | of this protocol |
/// | `192.0.2.1`, `2001:db8::/64` | to there |
/// | `192.0.2.1 udp/5004`, `2001:db8::1 tcp/22` | to there and these ports |
///
/// In a file it may be an object, too: `{ to: "192.0.2.0/24", protocol: "udp", ports: "5004-5007" }`.
public struct FilterService: Hashable, Sendable, ConfigurationText {
    /// The network that packets go to, or nil for any; no bit is set behind the prefix.
    public var destination: AddressPrefix?
    /// The protocol above IP, or nil for any.
    public var ipProtocol: UInt8?
    /// The ports that packets go to, or nil for any; only with TCP, UDP or no protocol, which then means both.
    public var ports: ClosedRange<UInt16>?
    /// Where it was written.
    public var map: SourceMap

    /// Packets to `destination`, of `ipProtocol`, to one of `ports`; one of them at least should be given.
    public init(
        destination: AddressPrefix? = nil, ipProtocol: UInt8? = nil, ports: ClosedRange<UInt16>? = nil,
        map: SourceMap = SourceMap()
    ) {
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.ports = ports
        self.map = map
    }

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a service, such as \"udp/5004\", \"192.0.2.0/24\" or \"192.0.2.1 tcp/80-90\""
    }

    /// Reads one of the texts above.
    public init(_ text: String) throws(ValueRefusal) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else { throw ValueRefusal(expected: Self.expectation, text: text) }
        self.init()
        if let prefix = try FilterPrefix.read(parts[0]) {
            destination = prefix
            guard parts.count == 2 else { return }
        } else if parts.count == 2 {
            throw ValueRefusal(expected: Self.expectation, text: text, hint: Self.hint(for: parts))
        }
        if parts.count == 1, let endpoint = Endpoint(text) {
            throw ValueRefusal(
                expected: Self.expectation, text: text,
                hint:
                    "a space is between address and ports: \"\(endpoint.address) tcp/\(endpoint.port)\", or udp/\(endpoint.port)"
            )
        }
        switch try FilterSubject.traffic(parts[parts.count - 1], expected: Self.expectation) {
        case .ipProtocol(let number): ipProtocol = number
        case .port(let range): (ipProtocol, ports) = (range.transport?.ipProtocol, range.first...range.last)
        // What is no destination is one of the two above, or an error.
        case .source, .sourcePort: throw ValueRefusal(expected: Self.expectation, text: text)
        }
    }

    /// As it is read.
    public var description: String {
        var parts: [String] = []
        if let destination { parts.append(FilterPrefix.text(destination)) }
        if let ports {
            parts.append("\(ipProtocol.map(IPProtocolName.text) ?? "port")/\(PortRange.text(ports))")
        } else if let ipProtocol {
            parts.append(IPProtocolName.text(ipProtocol))
        }
        return parts.isEmpty ? "any" : parts.joined(separator: " ")
    }

    /// Whether it says nothing, and all packets are meant.
    public var isAny: Bool { destination == nil && ipProtocol == nil && ports == nil }

    private static func hint(for parts: [String]) -> String? {
        if (try? FilterPrefix.read(parts[1])) ?? nil != nil {
            return "the destination comes first: \"\(parts[1]) \(String(parts[0].prefix(20)).printable)\""
        }
        if FilterPrefix.isAny(parts[0]) { return "without a service a limit is for all packets" }
        return FilterPrefix.hint(for: parts[0])
    }
}

/// A service that the filter lets through before all else, so that nobody locks themselves out.
public struct ManagementService: Hashable, Sendable, CustomStringConvertible {
    /// What it is.
    public var service: FilterService
    /// The networks it is reached from; none means from anywhere.
    public var sources: [AddressPrefix]
    /// Where it was written.
    public var map: SourceMap

    /// A service that is reached from `sources`.
    public init(_ service: FilterService, from sources: [AddressPrefix] = [], map: SourceMap = SourceMap()) {
        (self.service, self.sources, self.map) = (service, sources, map)
    }

    /// `tcp/22`, or `tcp/22 from 192.0.2.0/24, 2001:db8::1`.
    public var description: String {
        guard !sources.isEmpty else { return "\(service)" }
        return "\(service) from \(sources.map(FilterPrefix.text).joined(separator: ", "))"
    }
}
