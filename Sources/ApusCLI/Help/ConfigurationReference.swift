/// What the manual says about each key of a forwarder's file. A test holds it against what the reader knows.
struct ConfigurationReference {
    /// Where the keys stand: `streams: [{ … }]`.
    var section: String
    var meaning: String
    var keys: [(name: String, meaning: String)]

    /// A file that uses the usual keys.
    static let example = """
        {
          // Comments, single quotes and trailing commas are fine.
          interfaces: [
            { name: "eth0", backend: "xdp", zeroCopy: "require", queues: 2 },
          ],
          streams: [
            {
              name: "camera",
              listen: "192.0.2.1:5004",
              to: ["198.51.100.7:5004", "[2001:db8::7]:5004"],
            },
          ],
          control: { socket: "/run/apus/control.sock" },
          metrics: { listen: "127.0.0.1:9469" },
        }
        """

    static let all = [
        ConfigurationReference(
            section: "streams: [{ }]", meaning: "What is forwarded; there must be one.",
            keys: [
                ("name", "What the stream is called in statistics. Default: its listening address and port."),
                (
                    "listen",
                    "Where it arrives, as \"address:port\". 0.0.0.0 or [::] means any address, on each interface that is up and has "
                        + "one of the family at the start, or on those that \"interfaces\" lists and streams leave by; a "
                        + "multicast group is joined on \"interface\"."
                ),
                ("to", "Where it goes: an array of \"address:port\", hosts or multicast groups."),
                (
                    "interface",
                    "The interface it listens on. Default: the one that has the listening address, and each one for any "
                        + "address. Of a VLAN interface it is the one beneath that is opened; tags do not choose a stream."
                ),
                (
                    "ttl",
                    "The TTL or hop limit of what is sent, 1 to 255. Default: one less than what arrived."
                ),
                ("rtp", "Whether RTP statistics are kept, true or false. Default: true."),
            ]),
        ConfigurationReference(
            section: "interfaces: [{ }]",
            meaning:
                "How ports on certain interfaces are opened. Those that streams need are opened in any case, listed or "
                + "not; those that are listed are opened even where none does. One over DPDK, which the kernel does not "
                + "have, is opened only where it is listed, with its addresses.",
            keys: [
                (
                    "name",
                    "The kernel's name of the interface; for DPDK the device: its PCI address, such as \"0000:03:00.0\", or "
                        + "a virtual device, such as \"net_tap0,iface=tap0\"."
                )
            ] + port + dpdkPort),
        ConfigurationReference(
            section: "routes: [{ }]",
            meaning: "The ways by other routers than the gateway, within an interface over DPDK.",
            keys: [
                ("to", "The network, such as \"198.51.100.0/24\"."),
                (
                    "via",
                    "The router: an address on a network of the interface, or an IPv6 link-local address."
                ),
            ]),
        ConfigurationReference(
            section: "dpdk: { }",
            meaning: "How DPDK is started, once, where an interface is over it.",
            keys: dpdk),
        ConfigurationReference(
            section: "defaults: { }",
            meaning:
                "How ports are opened on all other interfaces that streams need, and what an interface's own entry "
                + "leaves out.",
            keys: port),
        ConfigurationReference(
            section: "busyPoll: { }", meaning: "Busy polling, within an interface or the defaults.",
            keys: [
                ("microseconds", "How long a system call polls the device, 1 to 10000. Default: 20."),
                ("budget", "How many packets one such poll handles at most, 1 to 65535. Default: 64."),
            ]),
        ConfigurationReference(
            section: "control: { }", meaning: "A UNIX socket for orders. Without it there is none.",
            keys: [
                (
                    "socket",
                    "Its absolute path, in a folder that not everybody may write to. A folder in /run is made if it is "
                        + "missing."
                ),
                ("mode", "Its permissions in octal digits and quotes. Default: \"0600\"."),
                ("group", "The group that owns it. Default: the process's own."),
            ]),
        ConfigurationReference(
            section: "metrics: { }", meaning: "A server for /metrics and /health. Without it there is none.",
            keys: [("listen", "Where it listens, as \"address:port\". Default: \"127.0.0.1:9469\".")]),
        ConfigurationReference(
            section: "workers: { }", meaning: "The threads that forward.",
            keys: [
                ("count", "How many, 1 to 256. Default: one for each of cpus, or for each queue."),
                ("cpus", "An array of the cores they are pinned to. Default: any core."),
                ("spin", "How many microseconds an idle worker spins before it sleeps. Default: 25."),
                (
                    "sleep",
                    "How many microseconds an idle worker sleeps at most; a packet wakes it earlier. "
                        + "0 means that it never sleeps, which a device of DPDK's without interrupts means, too: its worker "
                        + "takes a whole core. Default: 10000."
                ),
            ]),
        ConfigurationReference(
            section: "limits: { }", meaning: "What may be used at most.",
            keys: [
                ("streams", "Streams, up to 1000000. Default: 65536."),
                ("destinations", "Destinations of one stream, up to 1024. Default: 64."),
                (
                    "pendingPackets",
                    "Packets that a worker holds back while it asks for the link-layer address of their next hop, "
                        + "up to 65536 and to what the rings leave of the frames; half of them for one next hop, "
                        + "fewer when several are asked for. Default: 256."
                ),
            ]),
    ]

    private static let dpdkPort: [(name: String, meaning: String)] = [
        (
            "addresses",
            "Over DPDK, an array of its 1 to 16 addresses, each with the prefix of its network, such as \"192.0.2.1/24\" or "
                + "\"2001:db8::1/64\"."
        ),
        (
            "gateway",
            "Over DPDK, the router for all that is on no network of its own and has no route; or an array of two, one of each IP "
                + "version. Default: none."
        ),
        ("routes", "Over DPDK, an array of at most 256 routes, see below. Default: none."),
        (
            "mtu",
            "Over DPDK, the longest IP packet in bytes, 68 to 65535, from 1280 on with IPv6, and what the device can. Default: 1500."
        ),
        (
            "mac",
            "Over DPDK, the link-layer address it gets, such as \"02:00:00:00:00:01\". Default: the device's own."
        ),
        (
            "promiscuous",
            "Over DPDK, whether the device receives what is for others too, true or false; it is dropped and counted. Default: false."
        ),
    ]

    private static let dpdk: [(name: String, meaning: String)] = [
        (
            "hugepages",
            "Whether its memory is in huge pages, true or false. Without, which is for trying, cards on PCI can't be used. "
                + "Default: true."
        ),
        (
            "memory",
            "The memory taken at the start in MiB, 16 to 1048576. Default: as it is needed; without huge pages, where it is "
                + "all there will be, 256."
        ),
        (
            "hugepageDirectory",
            "Where the file system of huge pages is mounted, such as \"/dev/hugepages\". Default: none, as "
                + "anonymous memory needs none."
        ),
        (
            "filePrefix",
            "What its files in such a folder are called by, 1 to 32 letters, digits, \"-\" and \"_\"; no other process of DPDK may have "
                + "the same. Default: \"apus\"."
        ),
        (
            "mainCore",
            "The core of DPDK's main thread, 0 to 1023, on which no packet is moved. Default: the first that may be used."
        ),
        (
            "allow",
            "An array of PCI addresses that drivers take up at the start besides those of the interfaces, such as for a net_bonding of "
                + "them; none takes any other. Default: none."
        ),
        (
            "block",
            "An array of PCI addresses that no interface may be and \"allow\" may not have. Default: none."
        ),
        (
            "vdevs",
            "An array of virtual devices to make at the start besides those of the interfaces, such as for another to be made of. "
                + "Default: none."
        ),
        (
            "extra",
            "An array of further arguments of DPDK, such as \"--iova-mode=va\"; not those that keys here or Apus itself "
                + "give. Default: none."
        ),
    ]

    private static let port: [(name: String, meaning: String)] = [
        (
            "backend",
            "\"auto\", \"xdp\" for AF_XDP, \"packet\" for AF_PACKET or, in \"interfaces\" alone, \"dpdk\" for DPDK, "
                + "which \"auto\" is where the name is that of a device for it. Default: \"auto\"."
        ),
        ("mode", "Where the XDP program runs: \"auto\", \"native\" or \"generic\". Default: \"auto\"."),
        (
            "zeroCopy",
            "\"auto\", \"require\" or \"never\", which is then for all interfaces that may get AF_XDP. "
                + "Default: \"auto\"."
        ),
        (
            "hugepages",
            "\"auto\", \"require\" or \"never\", the same for all interfaces that may get AF_XDP. "
                + "Default: \"auto\"."
        ),
        (
            "queues",
            "How many receive queues the device must have, 1 to 256; all are used. Default: any number. Over DPDK so many "
                + "are set up. Default: one for each worker."
        ),
        (
            "ringSize",
            "Descriptors in each ring, a power of two from 64 to 65536 with backend \"xdp\", else to 32768. A device for "
                + "DPDK may have fewer. Default: 2048."
        ),
        (
            "frameSize",
            "The size of a frame, 2048 or 4096 bytes, the same for all interfaces that may get AF_XDP. "
                + "Default: 2048."
        ),
        (
            "frames",
            "How many frames the pool of each queue has, up to 1048576. Default: four for each descriptor of a "
                + "ring, at least 512; over DPDK at least 8192."
        ),
        ("busyPoll", "An object, see below. Default: no busy polling."),
    ]
}
