/// Two hosts on one link: `a` with va (192.0.2.1, 2001:db8::1) and `b` with vb (192.0.2.2, 2001:db8::2).
///
///     let net = try Pair("echo")
///     defer { net.close() }
public struct Pair: Sendable {
    /// What both are in.
    public let lab: NetworkLab
    /// The host with va.
    public let a: Namespace
    /// The host with vb.
    public let b: Namespace

    /// Makes both and their link; see `NetworkLab.link` for its settings.
    public init(_ purpose: String, queues: Int = 1, mtu: Int = 1500) throws {
        lab = NetworkLab(purpose)
        a = try lab.namespace("a")
        b = try lab.namespace("b")
        try lab.link(
            a, "va", ["192.0.2.1/24", "2001:db8::1/64"], b, "vb", ["192.0.2.2/24", "2001:db8::2/64"],
            queues: queues, mtu: mtu)
    }

    /// Ends all that runs in them and removes them.
    public func close() { lab.close() }
}
