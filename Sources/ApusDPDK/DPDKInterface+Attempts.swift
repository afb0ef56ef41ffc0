extension DPDKInterface {
    /// Whether its driver counts as errors (`oerrors`) what it has not taken at all, which is tried again and sent later.
    var countsAttempts: Bool { Self.countingAttempts.contains(driver) }

    /// Drivers whose `oerrors` is of packets that stay with who sends them, once for each attempt, in DPDK 22.11.11 (drivers/net).
    ///
    /// There the meaning is each driver's own, and none says which it has. All others count what they have taken: in software
    /// (net_af_packet, net_pcap, net_ark, net_mana), or from registers of the card; or they count a packet that they never take
    /// (net_mlx4, net_mlx5, net_netvsc: one that is malformed, or a channel that is broken); or nothing, as net_ring, net_null
    /// and net_virtio. net_bonding gives the sum of its members'.
    private static let countingAttempts: Set = [
        "net_af_xdp",  // af_xdp/rte_eth_af_xdp.c:587 tx_dropped += nb_pkts - count
        "net_avp",  // avp/avp_ethdev.c:1713, 1760, 1773, 1807, 1855, 1865
        "net_enetfec",  // enetfec/enet_rxtx.c:213, the ring is full
        "net_failsafe",  // failsafe/failsafe_ether.c:577, the sum of its members', often with a net_tap
        "net_hinic",  // hinic/hinic_pmd_tx.c:1162 tx_busy, and with it what the card discarded
        "net_liovf",  // liquidio/lio_rxtx.c:1777 tx_dropped += nb_pkts - processed
        "net_otx_ep",  // octeon_ep/otx_ep_rxtx.c:496 instr_dropped, the ring is full
        "net_tap", "net_tun",  // tap/rte_eth_tap.c:759, 797, 812 errs += nb_pkts - num_tx
    ]
}
