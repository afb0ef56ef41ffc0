import Foundation
import NetworkLab

/// A sender, a relay and a receiver, in a row.
///
///     sender e0 192.0.2.1 ── 192.0.2.2 in0 relay out0 198.51.100.2 ── 198.51.100.1 e0 receiver
///            2001:db8:1::1 ── 2001:db8:1::2             2001:db8:2::2 ── 2001:db8:2::1
final class Scene: Sendable {
    let lab: NetworkLab
    let sender, relay, receiver: Namespace

    /// - Parameter offloads: whether senders leave checksums to the device, as real hosts do.
    init(_ purpose: String, offloads: Bool = false) throws {
        lab = NetworkLab(purpose)
        sender = try lab.namespace("sender")
        relay = try lab.namespace("relay")
        receiver = try lab.namespace("receiver")
        try lab.link(
            sender, "e0", ["192.0.2.1/24", "2001:db8:1::1/64"], relay, "in0",
            ["192.0.2.2/24", "2001:db8:1::2/64"], offloads: offloads)
        try lab.link(
            relay, "out0", ["198.51.100.2/24", "2001:db8:2::2/64"], receiver, "e0",
            ["198.51.100.1/24", "2001:db8:2::1/64"], offloads: offloads)
    }

    deinit { lab.close() }

    /// Where the relay listens.
    static func relayAddress(_ family: Family) -> String { family == .v4 ? "192.0.2.2" : "2001:db8:1::2" }
    /// Where the receiver is.
    static func receiverAddress(_ family: Family) -> String {
        family == .v4 ? "198.51.100.1" : "2001:db8:2::1"
    }
    /// Where the sender is.
    static func senderAddress(_ family: Family) -> String { family == .v4 ? "192.0.2.1" : "2001:db8:1::1" }

    /// The first addresses that were sent to are known to the kernel of the relay.
    func warmUp() throws {
        for (space, target) in [
            (sender, "192.0.2.2"), (sender, "2001:db8:1::2"), (relay, "198.51.100.1"),
            (relay, "2001:db8:2::1"),
        ] {
            try space.run("ping", "-c", "1", "-W", "2", target)
        }
    }

    /// A sink at the receiver.
    func sink(_ port: Int, _ family: Family = .v4) throws -> Sink {
        try Sink(in: receiver, Self.receiverAddress(family), port)
    }

    /// A socket at the sender.
    func source(_ family: Family = .v4) throws -> UDPSocket {
        try UDPSocket(in: sender, Self.senderAddress(family))
    }
}

/// A version of IP.
enum Family: String, Sendable, CaseIterable {
    case v4 = "IPv4"
    case v6 = "IPv6"

    /// An address and port of it, as a user writes them.
    func endpoint(_ address: String, _ port: Int) -> String {
        self == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}
