/// DPDK's drivers for virtual network devices, as Debian has them, and the arguments that each takes (DPDK 22.11): some of
/// them pass over those they don't know without a word.
enum VirtualDriver {
    /// By name; `nil` where the arguments are not a list of names and values.
    static let arguments: [String: [String]?] = [
        "net_af_packet": ["iface", "qpairs", "blocksz", "framesz", "framecnt", "qdisc_bypass"],
        "net_af_xdp": [
            "iface", "start_queue", "queue_count", "shared_umem", "xdp_prog", "busy_budget", "force_copy",
        ],
        "net_bonding": [
            "slave", "primary", "mode", "xmit_policy", "agg_mode", "socket_id", "mac", "lsc_poll_period_ms",
            "up_delay", "down_delay", "driver",
        ],
        "net_failsafe": nil,
        "net_memif": [
            "id", "role", "bsize", "rsize", "socket", "socket-abstract", "mac", "zero-copy", "secret",
        ],
        "net_null": ["size", "copy", "no-rx"],
        "net_pcap": [
            "rx_pcap", "tx_pcap", "rx_iface", "rx_iface_in", "tx_iface", "iface", "phy_mac", "infinite_rx",
        ],
        "net_ring": ["nodeaction", "internal"],
        "net_softnic": ["firmware", "conn_port", "cpu_id", "sc"],
        "net_tap": ["iface", "remote", "mac", "persist"],
        "net_tun": ["iface"],
        "net_vdev_netvsc": ["iface", "mac", "force", "ignore"],
        "net_vhost": [
            "iface", "queues", "client", "iommu-support", "postcopy-support", "tso", "linear-buffer",
            "ext-buffer",
            "legacy-ol-flags",
        ],
        "net_virtio_user": [
            "queues", "cq", "mac", "path", "queue_size", "iface", "server", "mrg_rxbuf", "in_order",
            "packed_vq",
            "speed", "vectorized",
        ],
    ]

    /// The driver of a device: DPDK takes the one whose name it begins with.
    static func driver(of device: String) -> String? {
        arguments.keys.filter { device.hasPrefix($0) }.max { $0.utf8.count < $1.utf8.count }
    }

    /// The names in a list of arguments; what is in brackets is one value.
    static func names(in arguments: String) -> [String] {
        var (names, depth, name, isName): ([String], Int, String, Bool) = ([], 0, "", true)
        for letter in arguments {
            switch letter {
            case "[", "(": depth += 1
            case "]", ")": depth -= 1
            case ",", "=":
                guard depth == 0 else { break }
                if isName, !name.isEmpty { names.append(name) }
                (name, isName) = ("", letter == ",")
            default: if isName { name.append(letter) }
            }
        }
        return isName && !name.isEmpty ? names + [name] : names
    }

    /// The one of `names` that is at most three letters away from `name`, and nearest.
    static func nearest(to name: String, of names: some Sequence<String>) -> String? {
        let near = names.map { ($0, distance(Array(name.utf8), Array($0.utf8))) }
            .min { ($0.1, $0.0) < ($1.1, $1.0) }
        return near.flatMap { $0.1 <= min(3, name.utf8.count / 2) ? $0.0 : nil }
    }

    /// How many letters have to be put in, taken out or replaced.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (i, letter) in one.enumerated() {
            var (before, next) = (row[0], [i + 1])
            for j in other.indices {
                next.append(min(row[j + 1] + 1, next[j] + 1, before + (other[j] == letter ? 0 : 1)))
                before = row[j + 1]
            }
            row = next
        }
        return row[other.count]
    }
}
