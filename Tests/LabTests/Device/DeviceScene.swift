import Glibc
import NetworkLab
import Testing

/// A sender, a relay that has its interfaces over DPDK, and a receiver, with the addresses of a ``Scene``.
final class DeviceScene: Sendable {
    /// The driver of DPDK's.
    enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case afXDP = "net_af_xdp"
        case afPacket = "net_af_packet"
        case tap = "net_tap"

        var testDescription: String { rawValue }
    }

    let lab: NetworkLab
    let sender, relay, receiver: Namespace
    private let kind: Kind
    private let kernelHasFarSide: Bool

    init(_ purpose: String, _ kind: Kind, kernelHasFarSide: Bool = false) throws {
        lab = NetworkLab("dpdk\(purpose)")
        sender = try lab.namespace("sender")
        relay = try lab.namespace("relay")
        receiver = try lab.namespace("receiver")
        (self.kind, self.kernelHasFarSide) = (kind, kernelHasFarSide)
        guard kind != .tap else { return }
        // The kernel of the relay is to answer nothing.
        try relay.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        try lab.link(
            sender, "e0", ["192.0.2.1/24", "2001:db8:1::1/64"], relay, "in0", [], offloads: false)
        try lab.link(
            relay, "out0", kernelHasFarSide ? ["198.51.100.2/24"] : [], receiver, "e0",
            ["198.51.100.1/24", "2001:db8:2::1/64"], offloads: false)
    }

    deinit { lab.close() }

    private func device(_ number: Int, _ interface: String) -> String {
        switch kind {
        case .afXDP: "net_af_xdp\(number),iface=\(interface)"
        case .afPacket: "net_af_packet\(number),iface=\(interface)"
        case .tap: "net_tap\(number),iface=\(interface)"
        }
    }

    /// Starts the forwarder on both devices, or on one and on an interface of the kernel's.
    ///
    /// - Parameters:
    ///   - isConnected: whether the far tap gets its other end, which else ``connectFarTap()`` gives it.
    ///   - further: sections of the configuration beside these.
    func forward(
        streams: String, farBackend: String = "auto", workers: Int = 1, isConnected: Bool = true,
        further: String = ""
    ) throws -> ApusForward {
        let far =
            kernelHasFarSide
            ? #"{ name: "out0", backend: "\#(farBackend)" }"#
            : #"""
            { name: "\#(device(1, "out0"))", backend: "dpdk", addresses: ["198.51.100.2/24", "2001:db8:2::2/64"] }
            """#
        let forward = try ApusForward(
            in: relay,
            configuration: """
                dpdk: { hugepages: false, memory: 256 }, defaults: { ringSize: 512 },
                interfaces: [
                    { name: "\(device(0, "in0"))", backend: "dpdk", addresses: ["192.0.2.2/24", "2001:db8:1::2/64"] },
                    \(far),
                ],
                workers: { count: \(workers) }, streams: [\(streams)], \(further)
                """)
        if kind == .tap {
            try connect("in0", sender, "02:00:00:00:00:01", ["192.0.2.1/24", "2001:db8:1::1/64"])
            if isConnected { try connectFarTap() }
        }
        return forward
    }

    /// Gives the kernel's end of the far tap to the receiver.
    func connectFarTap() throws {
        try connect("out0", receiver, "02:00:00:00:00:02", ["198.51.100.1/24", "2001:db8:2::1/64"])
    }

    /// Gives the kernel's end of a tap away. DPDK gives both ends of one the same address.
    private func connect(
        _ interface: String, _ space: Namespace, _ mac: String, _ addresses: [String]
    ) throws {
        try relay.run("ip", "link", "set", interface, "netns", "\(space.pid)")
        try space.run("ip", "link", "set", interface, "address", mac)
        for address in addresses {
            let nodad = address.contains(":") ? ["nodad"] : []
            try space.run(["ip", "address", "add", address, "dev", interface] + nodad)
        }
        try space.run("ip", "link", "set", interface, "up")
    }
}
