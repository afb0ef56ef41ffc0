/// A limit of the filter: how many packets or bits a second may pass, of whom and to where.
public struct FilterLimit: Hashable, Sendable {
    /// What each has a bucket of its own.
    public enum Scope: Hashable, Sendable {
        /// Each source address.
        case source
        /// Each source prefix of these lengths: 0 to 32, and 0 to 128.
        case prefix(ipv4: UInt8, ipv6: UInt8)
        /// Each source address and the port it sends to.
        case sourcePort
        /// All packets that it applies to have one bucket.
        case all

        /// Each source prefix of the usual lengths: 24 and 64.
        public static let prefix = Scope.prefix(ipv4: 24, ipv6: 64)
    }

    /// Denies a source for a time that offers far more than the limit.
    public struct Ban: Hashable, Sendable {
        /// How many times the rate it has to offer: more than 1, and at most 1000.
        public var factor: Double
        /// How long it is denied.
        public var time: FilterDuration

        /// A ban for `time` of what offers more than `factor` times the rate.
        public init(over factor: Double, for time: FilterDuration) {
            (self.factor, self.time) = (factor, time)
        }
    }

    /// What it is called in statistics and messages: 1 to 64 characters, and no other limit has the same.
    public var name: String
    /// What has a bucket.
    public var scope: Scope
    /// The packets it applies to, or nil for all.
    public var service: FilterService?
    /// The packets a second, or nil for any number; one of the two rates is there.
    public var packets: PacketRate?
    /// The bits a second, or nil for any number.
    public var bits: BitRate?
    /// The packets that may come at once; nil means ``effectivePacketBurst``.
    public var packetBurst: UInt64?
    /// The octets that may come at once; nil means ``effectiveOctetBurst``.
    public var octetBurst: UInt64?
    /// What denies a source for a time, only where the scope is each source.
    public var ban: Ban?
    /// Where it was written.
    public var map: SourceMap

    /// A limit; without a name it is called ``defaultName``.
    public init(
        name: String? = nil, scope: Scope, service: FilterService? = nil, packets: PacketRate? = nil,
        bits: BitRate? = nil, packetBurst: UInt64? = nil, octetBurst: UInt64? = nil, ban: Ban? = nil,
        map: SourceMap = SourceMap()
    ) {
        self.name = name ?? Self.defaultName(scope, service)
        self.scope = scope
        self.service = service
        self.packets = packets
        self.bits = bits
        self.packetBurst = packetBurst
        self.octetBurst = octetBurst
        self.ban = ban
        self.map = map
    }

    /// What it is called if nobody says otherwise: the scope and the service, such as `source udp/5004`.
    public var defaultName: String { Self.defaultName(scope, service) }

    private static func defaultName(_ scope: Scope, _ service: FilterService?) -> String {
        let name = service.map { "\(scope) \($0)" } ?? "\(scope)"
        // A long IPv6 address and a range of ports may be more than a name may have.
        return name.count <= 64 ? name : name.prefix(63) + "…"
    }

    /// The packets that may come at once: ``packetBurst``, or a tenth of a second's worth and at least 10; nil without
    /// a rate of packets.
    public var effectivePacketBurst: UInt64? {
        packets.map { packetBurst ?? max(10, Self.count($0.perSecond / 10)) }
    }

    /// The octets that may come at once: ``octetBurst``, or a tenth of a second's worth and at least 15,140, which are
    /// ten full frames of Ethernet; nil without a rate of bits.
    public var effectiveOctetBurst: UInt64? {
        bits.map { octetBurst ?? max(15_140, Self.count($0.perSecond / 80)) }
    }

    /// A whole number, rounded up, of a rate that nobody may have checked yet.
    private static func count(_ number: Double) -> UInt64 {
        number.isFinite ? UInt64(min(max(number, 0), 1e15).rounded(.up)) : 0
    }
}

extension FilterLimit.Scope: CustomStringConvertible {
    /// `source`, `prefix`, `prefix /22 /56`, `sourcePort` or `all`.
    public var description: String {
        switch self {
        case .source: "source"
        case .prefix: self == .prefix ? "prefix" : "prefix \(lengths)"
        case .sourcePort: "sourcePort"
        case .all: "all"
        }
    }

    private var lengths: String {
        guard case .prefix(let ipv4, let ipv6) = self else { return "" }
        return "/\(ipv4) /\(ipv6)"
    }
}
