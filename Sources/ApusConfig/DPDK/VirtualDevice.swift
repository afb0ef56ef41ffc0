/// A device that a driver of DPDK makes without hardware, such as `net_tap0,iface=tap0`.
public struct VirtualDevice: Hashable, Sendable {
    /// What it is called: the driver, and a number that tells it from others of it: `net_tap0`.
    public let name: String
    /// What its driver is told, as it stands behind the name and a comma; empty for nothing.
    public let arguments: String

    /// The drivers that make network devices, with what each can be told: those of DPDK 22.11 that make one alone
    /// (RTE_PMD_REGISTER_VDEV and RTE_PMD_REGISTER_PARAM_STRING in drivers/net). Of those without a list it is not
    /// checked.
    static let drivers: [(name: String, arguments: [String])] = [
        (
            "net_af_packet",
            ["iface", "qpairs", "blocksz", "framesz", "framecnt", "qdisc_bypass"]
        ),
        (
            "net_af_xdp",
            ["iface", "start_queue", "queue_count", "shared_umem", "xdp_prog", "busy_budget", "force_copy"]
        ),
        ("net_bonding", []),
        ("net_failsafe", []),
        (
            "net_memif",
            ["id", "role", "bsize", "rsize", "socket", "socket-abstract", "mac", "zero-copy", "secret"]
        ),
        ("net_null", ["size", "copy", "no-rx"]),
        (
            "net_pcap",
            [
                "rx_pcap", "tx_pcap", "rx_iface", "rx_iface_in", "tx_iface", "iface", "phy_mac",
                "infinite_rx",
            ]
        ),
        ("net_ring", ["nodeaction", "internal"]),
        ("net_softnic", []),
        ("net_tap", ["iface", "mac", "remote"]),
        ("net_tun", ["iface"]),
        ("net_vdev_netvsc", ["iface", "mac", "force", "ignore"]),
        (
            "net_vhost",
            [
                "iface", "queues", "client", "iommu-support", "postcopy-support", "tso", "linear-buffer",
                "ext-buffer", "legacy-ol-flags",
            ]
        ),
        (
            "net_virtio_user",
            [
                "path", "mac", "cq", "queue_size", "queues", "iface", "server", "mrg_rxbuf", "in_order",
                "packed_vq", "speed", "vectorized",
            ]
        ),
    ]

    /// What a driver can't do without.
    private static let needed: [String: String] = [
        "net_af_packet": "iface=eth0", "net_af_xdp": "iface=eth0", "net_vhost": "iface=/run/vhost.sock",
        "net_virtio_user": "path=/dev/vhost-net",
    ]

    /// Reads `net_DRIVERn` or `net_DRIVERn,key=value,…`. Throws what is wrong, and what was meant.
    public init(_ text: String) throws(ValueRefusal) {
        let comma = text.firstIndex(of: ",")
        name = String(text[..<(comma ?? text.endIndex)])
        arguments = comma.map { String(text[text.index(after: $0)...]) } ?? ""
        let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }
        let stem = String(name.dropLast(digits.count))
        guard let driver = Self.drivers.first(where: { $0.name == stem }) else {
            throw Self.unknownDriver(stem, digits: String(digits.reversed()))
        }
        // RTE_DEV_NAME_MAX_LEN, less the zero at its end.
        guard name.utf8.count < 64 else {
            throw ValueRefusal(
                "a virtual device has a name of at most 63 letters and digits, found \(name.quoted)")
        }
        try Self.check(arguments, comma != nil, of: driver, name)
    }

    private static func unknownDriver(_ stem: String, digits: String) -> ValueRefusal {
        let known = drivers.map(\.name)
        guard let near = nearestName(to: stem, among: known) else {
            return ValueRefusal(
                "DPDK makes no virtual device \((stem + digits).quoted); its drivers are "
                    + known.joined(separator: ", "))
        }
        return ValueRefusal(
            "DPDK has no driver for the virtual device \((stem + digits).quoted); "
                + "did you mean \"\(near)\(digits.isEmpty ? "0" : digits)\"?")
    }

    private static func check(
        _ arguments: String, _ areThere: Bool, of driver: (name: String, arguments: [String]), _ name: String
    ) throws(ValueRefusal) {
        let example = driver.arguments.first.map { "\(name),\($0)=…" } ?? "\(name),key=value"
        var keys: [String] = []
        if areThere {
            for argument in arguments.split(separator: ",", omittingEmptySubsequences: false) {
                let key = argument.prefix { $0 != "=" }
                guard !key.isEmpty else {
                    throw ValueRefusal(
                        "behind a comma the virtual device \(name) is told something, such as \"\(example)\"")
                }
                keys.append(String(key))
            }
        }
        if !driver.arguments.isEmpty, let unknown = keys.first(where: { !driver.arguments.contains($0) }) {
            let near = nearestName(to: unknown, among: driver.arguments)
            throw ValueRefusal(
                "\(driver.name) can't be told \(unknown.quoted); "
                    + (near.map { "did you mean \"\($0)\"?" }
                        ?? "it takes \(driver.arguments.joined(separator: ", "))"))
        }
        if let needed = needed[driver.name], !keys.contains(where: { needed.hasPrefix("\($0)=") }) {
            throw ValueRefusal(
                "\(driver.name) needs to be told \(needed.prefix { $0 != "=" }), such as \"\(name),\(needed)\""
            )
        }
    }
}
