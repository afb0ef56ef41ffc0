/// What the manual says about each key of a filter's file. A test holds it against what the reader knows.
enum FilterReference {
    /// A file that uses the usual keys.
    static let example = """
        {
          // SSH gets in from anywhere, whatever the rest says.
          management: ["tcp/22"],
          allow: [
            "192.0.2.0/24",
            { match: "198.51.100.7", limited: true },
          ],
          deny: [
            "203.0.113.0/24",
            { match: "2001:db8:bad::/48", for: "1h30m" },
            "from:udp/11211",
            "gre",
          ],
          limits: [
            {
              each: "source",
              service: "udp/5004",
              rate: ["1000pps", "10Mbit"],
              ban: { over: 10, for: "10m" },
            },
            { each: "prefix", rate: "50Mbit", burst: "1MB" },
            { service: "icmp", rate: "100pps" },
          ],
        }
        """

    static let all = [
        ConfigurationReference(
            section: "{ }",
            meaning:
                "The rules of a filter. Times are numbers with their units, the longest first: d, h, m, s and ms, such as "
                + "\"1h30m\", from 1 ms to 365 days.",
            keys: [
                (
                    "policy",
                    "What becomes of packets that no list names, \"allow\" or \"deny\". Default: \"allow\"."
                ),
                (
                    "dryRun",
                    "Whether all packets pass, and what would have become of them is only counted, true or false. "
                        + "Default: false."
                ),
                (
                    "malformed",
                    "What becomes of packets that can't be parsed, \"allow\" or \"deny\". Default: \"deny\"."
                ),
                (
                    "fragments",
                    "What becomes of IP fragments behind the first, which have no ports: \"allow\", \"deny\" or \"limit\", by "
                        + "which their addresses and protocol are judged and the limits apply to them. Default: \"limit\"."
                ),
                (
                    "notIP",
                    "What becomes of frames that are neither IPv4 nor IPv6 nor ARP, \"allow\" or \"deny\". Default: \"allow\"."
                ),
                (
                    "limitNeighbors",
                    "Whether ARP and neighbor discovery, with the messages about multicast listeners that it needs, are limited "
                        + "too, true or false; otherwise they pass, also from sources that are denied or banned. Neighbor "
                        + "discovery is then judged like any ICMPv6, and ARP by the limits alone. Default: false."
                ),
                (
                    "management",
                    "An array of at most 16 services that pass before all else, each as a limit's service or an object, see "
                        + "below; [] for none. Default: [\"tcp/22\"]."
                ),
                (
                    "sources",
                    "How many sources are kept at a time, 1024 to 16777216. Default: 131072."
                ),
                (
                    "bans",
                    "How many sources are banned at a time, 1 to 1000000; of more the oldest give way. Default: 16384."
                ),
                (
                    "allow",
                    "An array of what passes; a source in it, without limits. Each is a text or an object, see below. Of an "
                        + "address or prefix that packets come from: \"198.51.100.0/24\" or \"2001:db8::1\", at most 1000000 in "
                        + "both lists; the longest prefix decides. Of ports they go to: \"udp/5004\", \"tcp/6000-6063\", or "
                        + "\"port/53\" for both TCP and UDP; of ports they come from: \"from:udp/11211\"; at most 1024 of both; "
                        + "the narrowest range decides, and ranges that overlap must be one within the other. Of protocols: "
                        + "\"icmp\", \"igmp\", \"tcp\", \"udp\", \"gre\", \"esp\", \"ah\", \"icmp6\", \"ospf\", \"sctp\", or by their "
                        + "number \"protocol/47\". Default: []."
                ),
                ("deny", "An array of what is dropped, as that of what passes. Default: []."),
                ("limits", "An array of at most 32 limits, tried in their order, see below. Default: []."),
            ]),
        ConfigurationReference(
            section: "allow, deny: [{ }]", meaning: "An entry that is more than a text.",
            keys: [
                ("match", "What it is about, as a text above."),
                (
                    "for",
                    "How long it holds from when it is put in force, such as \"10m\". Default: for good."
                ),
                (
                    "limited",
                    "For sources that are allowed: whether limits apply to them all the same, true or false. Default: false."
                ),
            ]),
        ConfigurationReference(
            section: "management: [{ }]", meaning: "A service that is reached from certain networks.",
            keys: [
                ("service", "The service, as a limit's service."),
                (
                    "from",
                    "The network it is reached from, such as \"192.0.2.0/24\", or an array of 1 to 16. Default: from anywhere."
                ),
            ]),
        ConfigurationReference(
            section: "limits: [{ }]",
            meaning:
                "A packet passes if all limits that apply to it have room, and is charged to none otherwise.",
            keys: [
                (
                    "name",
                    "What it is called in statistics, 1 to 64 characters. Two limits for the same packets, a fast and a slow "
                        + "one, need names of their own. Default: its scope and service, such as "
                        + "\"source udp/5004\"."
                ),
                (
                    "each",
                    "What has a bucket of its own: \"source\" for each source address, \"prefix\" for each source prefix, "
                        + "\"sourcePort\" for each source address and the port it sends to. Default: one bucket for all."
                ),
                (
                    "prefixes",
                    "With each: \"prefix\", an array of the lengths for IPv4 and for IPv6. Default: [\"/24\", \"/64\"]."
                ),
                (
                    "service",
                    "The packets it applies to, by where they go: an address or prefix, a protocol with or without ports, or both "
                        + "with a space between, such as \"udp/5004\", \"192.0.2.0/24\" or \"2001:db8::1 tcp/80-90\"; or an "
                        + "object, see below. Default: all packets."
                ),
                (
                    "rate",
                    "Packets a second, such as \"1000pps\", \"10kpps\", \"1.5Mpps\" or \"2/s\", or a minute, an hour or a day, "
                        + "\"30/m\", \"20/h\" or \"100/d\"; from 0.001 to 1000000000 a second. Or bits a second of whole frames, such as "
                        + "\"64kbit\", \"50Mbit\" or \"1Gbit\", also written \"50Mbit/s\" or \"50Mbps\", from 8 bit to 1000 Gbit. Or an array "
                        + "of one of each. There must be one."
                ),
                (
                    "burst",
                    "What may come at once: packets, such as 200, or octets, such as \"64KiB\", with B, octets, kB, KiB, MB, MiB, GB or GiB, "
                        + "from 1514 on; or an array of one of each. It is at most what the rate gives in a day. Default: "
                        + "a tenth of a second's worth, at least 10 packets or 15140 octets."
                ),
                ("ban", "With each: \"source\", an object, see below. Default: nobody is banned."),
            ]),
        ConfigurationReference(
            section: "service: { }",
            meaning: "The packets that a limit applies to, or that are management, in parts; one at least.",
            keys: [
                (
                    "to",
                    "The address or prefix they go to, such as \"192.0.2.0/24\". Default: any."
                ),
                (
                    "protocol",
                    "The protocol, by a name as above or its number, such as \"udp\" or 47. Default: any."
                ),
                (
                    "ports",
                    "The port they go to, such as 5004, or a range, \"5004-5007\"; of TCP, UDP, or without a protocol of both. "
                        + "Default: any."
                ),
            ]),
        ConfigurationReference(
            section: "ban: { }", meaning: "Denies a source for a time that offers far more than the limit.",
            keys: [
                ("over", "How many times the rate it has to offer, from 1.01 to 1000."),
                ("for", "How long it is denied, such as \"10m\"."),
            ]),
    ]
}
