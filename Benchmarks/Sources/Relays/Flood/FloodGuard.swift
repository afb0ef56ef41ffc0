import Apus

/// Who holds the flood off: for each source a limit at the service that is flooded, and one at that of the stream.
enum FloodGuard: String {
    case apus = "Apus"
    case nftables

    /// Packets a second that a source may send to the service that is flooded, and at once.
    static let floodLimit = (rate: 10, burst: 10)
    /// The same for the stream, which stays within.
    private static let streamLimit = (rate: 2 * FloodStage.streamRate, burst: FloodStage.streamRate / 5)

    /// Where it stands.
    var grant: String {
        switch self {
        case .apus: "XDP native"
        case .nftables: "netdev ingress"
        }
    }

    /// Puts its rules into force.
    func stand(on stage: FloodStage) throws {
        switch self {
        case .apus:
            let rules = Self.rules
            _ = try stage.host.enter { try RateLimitFilter.load(rules, on: stage.interface, mode: .native) }
        case .nftables:
            try Child.run(["nft", "-f", "-"], in: stage.host.pid, input: Self.table(stage.interface))
        }
    }

    /// Takes them off.
    func leave(_ stage: FloodStage) throws {
        switch self {
        case .apus: try stage.host.enter { try RateLimitFilter(on: stage.interface).unload() }
        case .nftables: try stage.host.run("nft delete table netdev guard")
        }
    }

    private static var rules: FilterRules {
        var rules = FilterRules()
        rules.limits = [(FloodStage.floodPort, floodLimit), (FloodStage.streamPort, streamLimit)].map {
            port, limit in
            FilterLimit(
                scope: .source,
                service: FilterService(ipProtocol: Transport.udp.ipProtocol, ports: port...port),
                packets: PacketRate(perSecond: Double(limit.rate)), packetBurst: UInt64(limit.burst))
        }
        return rules
    }

    /// The same for nftables, at its first hook. `update` is what keeps a source while it sends; the sets are as large as
    /// Apus' table is by default.
    private static func table(_ interface: String) -> String {
        func set(_ name: String) -> String {
            "set \(name) { type ipv4_addr; size 131072; flags dynamic,timeout; timeout 1m; }"
        }
        func rule(_ port: UInt16, _ set: String, _ limit: (rate: Int, burst: Int)) -> String {
            "udp dport \(port) update @\(set) "
                + "{ ip saddr limit rate over \(limit.rate)/second burst \(limit.burst) packets } drop"
        }
        return """
            table netdev guard {
                \(set("flooders"))
                \(set("streamers"))
                chain ingress {
                    type filter hook ingress device "\(interface)" priority 0; policy accept;
                    \(rule(FloodStage.floodPort, "flooders", floodLimit))
                    \(rule(FloodStage.streamPort, "streamers", streamLimit))
                }
            }
            """
    }
}
