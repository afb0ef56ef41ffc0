import ApusRTP
import Testing

/// What `apus forward --json` and the control socket say.
struct Status: Decodable, Sendable {
    struct Stream: Decodable, Sendable {
        var name: String
        var listen: String
        var destinations: [String]
        var figures: Figures
    }

    struct Figures: Decodable, Sendable {
        var packets, bytes, sent, dropped, lost, reordered, duplicates, rtcp, notRTP, sourceChanges: UInt64
        var ssrc: UInt32?
        var payloadType: UInt8?
        var jitter: Double?
    }

    struct Interface: Decodable, Sendable {
        var name: String
        var isReceiving: Bool
        var reason: String?
    }

    struct Device: Decodable, Sendable {
        var interface, mac: String
        var mtu: Int
        var node: Int?
        var addresses: [String]
        var isLinkUp, isFullDuplex: Bool?
        var linkMegabits: Int?
        var linkChanges, handed, noted, reported, believed, transmitted, conflicts, narrowPaths: UInt64
        var received, sent, drops, neighbors, neighborEvents: [String: UInt64]
    }

    struct Port: Decodable, Sendable {
        struct Feature: Decodable, Sendable {
            var name, requested, granted: String
            var reason: String?
        }
        var interface: String
        var queue: Int
        var backend: String
        var features: [Feature]
        var received, receivedBytes, sent, sentBytes, pending: UInt64
        var drops: [String: UInt64]
    }

    struct Steering: Decodable, Sendable {
        var interface: String
        var steered: UInt64
        var passed: [String: UInt64]
    }

    var received, receivedBytes, accepted, copies, sent, sentBytes, waiting, completedChecksums,
        unverifiedChecksums: UInt64
    var drops: [String: UInt64]
    var streams: [Stream]
    var interfaces: [Interface]
    var devices: [Device]
    var ports: [Port]
    var steering: [Steering]
    var unreachable: [String: String]
    var uptime: Double

    /// Copies that were lost on their way out.
    var losses: UInt64 {
        RelayDrop.allCases.reduce(0) { $0 + ($1.isRefusal ? 0 : drops[$1.label] ?? 0) }
    }

    /// Packets that were not taken, by what is wrong with them.
    var refusals: UInt64 { drops.values.reduce(0, +) - losses }

    /// What the ports lost, by all reasons.
    var portDrops: UInt64 { ports.reduce(0) { $0 + $1.drops.values.reduce(0, +) } }

    subscript(drop name: String) -> UInt64 { drops[name] ?? 0 }
}

/// Every packet that came is somewhere.
func expectConserved(_ status: Status, _ location: SourceLocation = #_sourceLocation) {
    #expect(
        status.received == status.accepted + status.refusals,
        "received = accepted + refused: \(status.drops)",
        sourceLocation: location)
    #expect(
        status.copies == status.sent + status.losses + status.waiting,
        "copies = sent + lost + waiting: \(status.drops)", sourceLocation: location)
    #expect(
        status.ports.reduce(0) { $0 + $1.received } == status.received, "what the ports received",
        sourceLocation: location)
    let sent = status.ports.reduce(0) { $0 + $1.sent }
    #expect(
        sent <= status.sent && status.sent <= sent + status.portDrops,
        "sent \(status.sent), by the ports \(sent): \(status.ports.map(\.drops))", sourceLocation: location)
}
