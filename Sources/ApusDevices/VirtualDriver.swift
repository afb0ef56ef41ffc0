/// A driver of DPDK's that makes network devices without hardware, as Debian has it.
public struct VirtualDriver: Hashable, Sendable {
    /// What the names of its devices begin with: `net_tap`.
    public let name: String
    /// What it can be told, by name; empty where that is not known.
    ///
    /// Some drivers pass over what they don't know without a word.
    public let arguments: [String]
    /// What it can't do without, as an example: `iface=eth0`; `nil` for nothing.
    public let needed: String?

    private init(_ name: String, _ arguments: [String], needed: String? = nil) {
        (self.name, self.arguments, self.needed) = (name, arguments, needed)
    }

    /// Those of DPDK 22.11 (RTE_PMD_REGISTER_VDEV and RTE_PMD_REGISTER_PARAM_STRING in drivers/net), by name.
    public static let all = [
        VirtualDriver(
            "net_af_packet", ["iface", "qpairs", "blocksz", "framesz", "framecnt", "qdisc_bypass"],
            needed: "iface=eth0"),
        VirtualDriver(
            "net_af_xdp",
            ["iface", "start_queue", "queue_count", "shared_umem", "xdp_prog", "busy_budget", "force_copy"],
            needed: "iface=eth0"),
        VirtualDriver(
            "net_bonding",
            [
                "slave", "primary", "mode", "xmit_policy", "agg_mode", "socket_id", "mac",
                "lsc_poll_period_ms",
                "up_delay", "down_delay", "driver",
            ]),
        // What it is told is no list of names and values.
        VirtualDriver("net_failsafe", []),
        VirtualDriver(
            "net_memif",
            ["id", "role", "bsize", "rsize", "socket", "socket-abstract", "mac", "zero-copy", "secret"]),
        VirtualDriver("net_null", ["size", "copy", "no-rx"]),
        VirtualDriver(
            "net_pcap",
            [
                "rx_pcap", "tx_pcap", "rx_iface", "rx_iface_in", "tx_iface", "iface", "phy_mac",
                "infinite_rx",
            ]),
        VirtualDriver("net_ring", ["nodeaction", "internal"]),
        VirtualDriver("net_softnic", ["firmware", "conn_port", "cpu_id", "sc"]),
        VirtualDriver("net_tap", ["iface", "remote", "mac", "persist"]),
        VirtualDriver("net_tun", ["iface"]),
        VirtualDriver("net_vdev_netvsc", ["iface", "mac", "force", "ignore"]),
        VirtualDriver(
            "net_vhost",
            [
                "iface", "queues", "client", "iommu-support", "postcopy-support", "tso", "linear-buffer",
                "ext-buffer", "legacy-ol-flags",
            ], needed: "iface=/run/vhost.sock"),
        VirtualDriver(
            "net_virtio_user",
            [
                "path", "mac", "cq", "queue_size", "queues", "iface", "server", "mrg_rxbuf", "in_order",
                "packed_vq", "speed", "vectorized",
            ], needed: "path=/dev/vhost-net"),
    ]
}
