import Apus

/// What `apus forward` is asked to do besides what the configuration says.
struct ForwardOptions: Sendable, Equatable {
    /// Keep a view of the rates and drops on the terminal.
    var showsStatistics = false
    /// Write figures as JSON, an object a line.
    var writesJSON = false
    /// The file the configuration came from, to be read again when a reload is asked for; nil if it came from options.
    var configurationFile: String?
}

extension Forward {
    // Streams

    static let listen = Option(
        long: "listen", short: "l", value: .init(name: "ADDR:PORT"),
        help:
            "Where the stream arrives: an address of this host, 0.0.0.0 or [::] for any on each interface, or a group to join on --interface.",
        section: "Stream")
    static let to = Option(
        long: "to", short: "t", value: .init(name: "ADDR:PORT"),
        help: "Where the stream goes: a host or a multicast group.", repeats: true, section: "Stream")
    static let ttl = Option(
        long: "ttl", value: .init(name: "N"), help: "The TTL or hop limit of what is sent, 1 to 255.",
        defaultText: "one less than what arrived", section: "Stream")
    static let noRTP = Option(
        long: "no-rtp", help: "Keep no RTP statistics; the stream is something else.", section: "Stream")
    static let config = Option(
        long: "config", short: "c", value: .init(name: "FILE", completion: .file),
        help:
            "Take streams, interfaces and all else from a JSON5 file; - is standard input, which is read once. Only --check, "
            + "--stats and --json can stand beside it: metrics and control are in the file too.",
        section: "Stream")
    static let check = Option(
        long: "check",
        help:
            "Only check the configuration, against this host too, and say what it holds. Nothing is touched or tried: "
            + "ports in use, missing privileges and what drivers grant show at the start.",
        section: "Stream")

    // Interface

    static let interface = Option(
        long: "interface", short: "i", value: .init(name: "IF", completion: .interface),
        help:
            "The interface to listen on; a group is joined there. The routes say by which the stream leaves, and all else "
            + "in this section is for both. A device for DPDK is named by its PCI address or as a virtual device.",
        defaultText: "the one that has the listening address, each one for any",
        section: "Interface")
    static let backend = Option(
        long: "backend", short: "b",
        value: .init(name: "NAME", completion: .words(BackendChoice.allCases.map(\.rawValue))),
        help: "How packets get in and out: AF_XDP, AF_PACKET, DPDK, or the best that is to be had.",
        defaultText: "auto, which is DPDK for its devices", section: "Interface")
    static let address = Option(
        long: "address", value: .init(name: "ADDR/BITS"),
        help:
            "An address of the interface over DPDK, which the kernel does not have, and the prefix of its network.",
        repeats: true, section: "Interface")
    static let gateway = Option(
        long: "gateway", value: .init(name: "ADDR"),
        help: "The router for what is not on the networks of --address; one of each IP version.",
        repeats: true, section: "Interface")
    static let mode = Option(
        long: "mode", value: .init(name: "NAME", completion: .words(ModeChoice.allCases.map(\.rawValue))),
        help: "Where the kernel runs the XDP program: in the driver or in the generic hook.",
        defaultText: "auto", section: "Interface")
    static let zeroCopy = requirement("zero-copy", "Whether the device writes straight into the frames.")
    static let hugepages = requirement(
        "hugepages",
        "Whether the frames are in huge pages. Over DPDK they have to be, but with never: for virtual devices, to try them."
    )
    static let queues = number(
        "queues", "How many receive queues the device must have, 1 to 256; all are used.", "any number")
    static let ringSize = number(
        "ring-size",
        "Descriptors in each ring, a power of two from 64 to 65536 with --backend xdp, else to 32768.",
        "2048")
    static let frameSize = Option(
        long: "frame-size", value: .init(name: "BYTES", completion: .words(["2048", "4096"])),
        help: "The size of a frame.", defaultText: "2048", section: "Interface")
    static let frames = number(
        "frames", "How many frames the pool of each queue has, up to 1048576.",
        "four for each descriptor of a ring")
    static let busyPoll = Option(
        long: "busy-poll", value: .init(name: "USECS"),
        help: "Poll the device from system calls for so long, 1 to 10000 microseconds.",
        defaultText: "interrupts",
        section: "Interface")
    static let busyPollBudget = number(
        "busy-poll-budget", "How many packets one such poll handles at most.", "64")

    // Workers

    static let workers = Option(
        long: "workers", short: "w", value: .init(name: "N"),
        help: "How many threads forward, 1 to 256; fewer queues are shared.",
        defaultText: "one for each queue, or each core of --cpu", section: "Workers")
    static let cpu = Option(
        long: "cpu", value: .init(name: "N"), help: "The core a worker is pinned to.", repeats: true,
        section: "Workers")
    static let spin = Option(
        long: "spin", value: .init(name: "USECS"), help: "How long an idle worker spins before it sleeps.",
        defaultText: "25", section: "Workers")
    static let sleep = Option(
        long: "sleep", value: .init(name: "USECS"),
        help:
            "How long an idle worker sleeps at most; a packet wakes it earlier, and 0 means that it never sleeps.",
        defaultText: "10000", section: "Workers")

    // Watching and steering

    static let stats = Option(
        long: "stats", short: "s",
        help: "Show rates, streams and drops by reason, live on a terminal and as lines elsewhere.",
        section: "Watching and steering")
    static let json = Option(
        long: "json", help: "Write figures as JSON, an object a line.", section: "Watching and steering")
    static let metrics = Option(
        long: "metrics", value: .init(name: "ADDR:PORT"),
        help: "Serve /metrics for Prometheus and /health there, such as 127.0.0.1:9469.",
        defaultText: "no server",
        section: "Watching and steering")
    static let control = Option(
        long: "control", value: .init(name: "PATH", completion: .file),
        help: "Take orders on a UNIX socket there, in a folder that not everybody may write to.",
        defaultText: "no socket",
        section: "Watching and steering")

    private static func requirement(_ name: String, _ help: String) -> Option {
        Option(
            long: name, value: .init(name: "WHEN", completion: .words(Requirement.allCases.map(\.rawValue))),
            help: help, defaultText: "auto", section: "Interface")
    }

    private static func number(_ name: String, _ help: String, _ defaultText: String) -> Option {
        Option(
            long: name, value: .init(name: "N"), help: help, defaultText: defaultText, section: "Interface")
    }
}
