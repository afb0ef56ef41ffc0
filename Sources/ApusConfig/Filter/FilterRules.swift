/// The rules of the filter: from a JSON5 file, or built in code.
///
/// ```json5
/// {
///   policy: "allow",
///   management: ["tcp/22"],
///   allow: ["192.0.2.0/24", { match: "198.51.100.7", limited: true }],
///   deny: ["203.0.113.0/24", "from:udp/11211", { match: "2001:db8:bad::/48", for: "10m" }],
///   limits: [
///     { each: "source", service: "udp/5004", rate: ["1000pps", "10Mbit"], ban: { over: 10, for: "10m" } },
///     { service: "icmp", rate: "100pps" },
///   ],
/// }
/// ```
///
/// Two values are equal when they say the same, wherever it is written in their files.
public struct FilterRules: Hashable, Sendable {
    /// What becomes of packets that no list names.
    public var policy: FilterPolicy = .allow
    /// Whether all packets pass, and what would have become of them is only counted.
    public var isDryRun = false
    /// What becomes of packets that can't be parsed.
    public var malformed: FilterPolicy = .deny
    /// What becomes of IP fragments behind the first.
    public var fragments: FragmentPolicy = .limit
    /// What becomes of frames that are neither IPv4 nor IPv6 nor ARP.
    public var notIP: FilterPolicy = .allow
    /// Whether neighbor discovery is judged like any ICMPv6, and ARP by the limits; otherwise they pass.
    public var limitsNeighbors = false
    /// What passes before all else: SSH from anywhere, unless the rules say otherwise. None at all is fine.
    public var management: [ManagementService] = [FilterRules.ssh]
    /// How many sources are kept at a time, 1024 to 16,777,216.
    public var sourceCapacity = 131_072
    /// How many sources are banned at a time, 1 to 1,000,000.
    public var banCapacity = 16_384
    /// The lists of what is allowed and what is denied. Their order means nothing: of prefixes the longest decides, and
    /// of ranges of ports the one with the fewest ports; see ``portsWidestFirst``.
    public var entries: [FilterEntry] = []
    /// The limits, in the order in which they are tried.
    public var limits: [FilterLimit] = []
    /// The text they were read from.
    public var source = ConfigurationSource.none
    /// Where they were written.
    public var map = SourceMap()

    /// The most limits.
    public static let mostLimits = 32
    /// The most entries about sources.
    public static let mostPrefixes = 1_000_000
    /// The most entries about ports.
    public static let mostPortEntries = 1024
    /// The most sources that can be asked for.
    public static let mostSources = 16_777_216
    /// The most bans that can be asked for.
    public static let mostBans = 1_000_000
    /// The most services of management.
    public static let mostManagement = 16
    /// The most networks that one of them is reached from.
    public static let mostManagementSources = 16

    /// SSH from anywhere: what is management unless rules say otherwise.
    public static let ssh = ManagementService(
        FilterService(ipProtocol: Transport.tcp.ipProtocol, ports: 22...22))

    /// Rules that let everything pass.
    public init() {}

    /// The entries about ports, those with the most ports first, and of equally many those of both TCP and UDP first:
    /// for whom each port is decided by the last entry that has it.
    public var portsWidestFirst: [FilterEntry] {
        func breadth(_ entry: FilterEntry) -> Int {
            switch entry.subject {
            case .port(let ports), .sourcePort(let ports):
                2 * (Int(ports.last) - Int(ports.first)) + (ports.transport == nil ? 1 : 0)
            case .source, .ipProtocol: -1
            }
        }
        return entries.filter { breadth($0) >= 0 }.sorted { breadth($0) > breadth($1) }
    }
}
