import Apus

/// `apus capture`: writes received packets to a file.
enum Capture {
    static let command = Command(
        name: "capture",
        summary: "write the packets of an interface to a .pcap or .pcapng file, or to a pipe",
        discussion: [
            "With AF_PACKET, the default, it is a tap: each packet that the kernel receives is copied, and goes its "
                + "way as if nobody looked; with --direction out or both, each that it sends. It needs CAP_NET_RAW.",
            "A tap sees nothing of what goes past the kernel: what an XDP program takes, drops or sends on, as that "
                + "of a running apus forward does with the packets of its streams, and what goes out by AF_XDP. "
                + "Capture that at the other end of the link, or with --backend packet in the forwarder.",
            "With --backend xdp the UDP datagrams to the ports named come to the file INSTEAD of to this host's "
                + "programs, for as long as it runs. It needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON.",
            "Without --count and --duration it goes on until SIGINT or SIGTERM. Both have packets that were "
                + "received before written, and end with a summary. \"ready\" on standard error says that packets "
                + "are captured from now on.",
        ],
        usage: ["INTERFACE --write FILE [options]"],
        options: [write, format, direction, count, duration, port, snap, backend, json],
        arguments: [
            Argument(name: "INTERFACE", help: "The interface to capture on.", completion: .interface)
        ],
        examples: [
            Example(
                purpose: "All that arrives, for a minute",
                line: "apus capture eth0 --write /tmp/eth0.pcapng --duration 60"),
            Example(
                purpose: "The headers of a thousand packets of a stream",
                line: "apus capture eth0 --write rtp.pcap --port 5004 --count 1000 --snap 96"),
            Example(
                purpose: "A stream as tcpdump shows it, while it comes",
                line: "apus capture eth0 --write - --port 5004 | tcpdump -n -r -"),
            Example(
                purpose: "What comes and goes, in one file",
                line: "apus capture eth0 --write eth0.pcapng --direction both"),
        ],
        run: run)

    static let write = Option(
        long: "write", short: "w", value: .init(name: "FILE", completion: .file),
        help:
            "The file, which ends in .pcap or .pcapng; what it held is lost. - is standard output, and the summary "
            + "then goes to standard error.")
    static let format = Option(
        long: "format",
        value: .init(name: "NAME", completion: .words(CaptureFormat.allCases.map(\.rawValue))),
        help: "How the packets are written, whatever the file is called.",
        defaultText: "what the file's name ends in, and pcapng for standard output")
    static let direction = Option(
        long: "direction",
        value: .init(name: "WAY", completion: .words(CaptureWay.allCases.map(\.rawValue))),
        help: "What is captured: what the interface receives, what this host sends by it, or both.",
        defaultText: "in")
    static let count = Option(
        long: "count", short: "n", value: .init(name: "N"), help: "End after so many packets.")
    static let duration = Option(
        long: "duration", short: "d", value: .init(name: "SECONDS"), help: "End after so many seconds.")
    static let port = Option(
        long: "port", short: "p", value: .init(name: "PORT"), help: "Capture only UDP to this port.",
        repeats: true)
    static let snap = Option(
        long: "snap", value: .init(name: "BYTES"),
        help: "Record no more of a packet than this, 64 to \(CaptureWriter.maximumSnapshotLength).",
        defaultText: "\(CaptureWriter.maximumSnapshotLength)")
    static let backend = Option(
        long: "backend", short: "b",
        value: .init(name: "NAME", completion: .words(BackendChoice.ofKernel.map(\.rawValue))),
        help: "AF_PACKET, or AF_XDP, which takes the packets away from this host; auto is AF_PACKET.",
        defaultText: "auto")
    static let json = Option(long: "json", help: "Write the summary as JSON.")
}

extension CaptureFormat: ConfigurationWord {}

/// Which packets `apus capture` writes.
enum CaptureWay: String, ConfigurationWord {
    case `in`
    case out
    case both

    /// What to ask the packet socket for.
    var socket: PacketSocketDirection {
        switch self {
        case .in: .received
        case .out: .sent
        case .both: .both
        }
    }

    /// What a file says of each packet.
    var recorded: CaptureDirection {
        switch self {
        case .in: .received
        case .out: .sent
        case .both: .unknown
        }
    }
}

/// What `apus capture` was asked to do.
struct CaptureOptions: Equatable {
    var interface: String
    /// The file, or nil for standard output.
    var file: String?
    var format: CaptureFormat
    var count: UInt64
    /// In nanoseconds; `.max` has no end.
    var duration: UInt64
    /// The UDP ports to capture; empty for every packet.
    var ports: [UInt16]
    var snap: Int
    var usesXDP: Bool
    var way = CaptureWay.in
}

extension Capture {
    /// Reads and checks what can be checked without a host.
    static func options(_ invocation: Invocation) throws(ExitFailure) -> CaptureOptions {
        guard let file = invocation.text(write) else {
            throw ExitFailure(.usage, "--write is missing: say which file the packets go to")
        }
        let isOutput = file == "-"
        let named = try invocation.value(format, as: CaptureFormat.self)
        guard let format = named ?? (isOutput ? .pcapng : CaptureFormat(path: file)) else {
            throw ExitFailure(.usage, "--write: \(CaptureError.unknownFormat(path: file.printable))")
        }
        guard !isOutput || !invocation.output.isTerminal else {
            throw ExitFailure(
                .usage,
                "--write: standard output is a terminal; send it to a program or a file, or name a file")
        }
        var ports: [UInt16] = []
        for number in try invocation.values(port, as: Int.self) {
            guard let port = UInt16(exactly: number), port > 0 else {
                throw ExitFailure(.usage, "--port: expected a number from 1 to 65535, found \(number)")
            }
            if !ports.contains(port) { ports.append(port) }
        }
        let usesXDP = try invocation.kernelBackend(backend) == .xdp
        guard !usesXDP || !ports.isEmpty else {
            throw ExitFailure(
                .usage,
                "--backend xdp takes packets away from this host, so it needs to know which: name UDP ports "
                    + "with --port, or capture everything with --backend packet")
        }
        let way = try invocation.value(direction, as: CaptureWay.self) ?? .in
        guard !usesXDP || way == .in else {
            throw ExitFailure(
                .usage, "--backend xdp sees received packets alone; capture those sent with --backend packet")
        }
        return CaptureOptions(
            interface: try invocation.kernelInterface(), file: isOutput ? nil : file, format: format,
            count: try invocation.number(count, in: 1...Int.max).map(UInt64.init) ?? .max,
            duration: try invocation.seconds(duration) ?? .max, ports: ports,
            snap: try invocation.number(snap, in: 64...CaptureWriter.maximumSnapshotLength)
                ?? CaptureWriter.maximumSnapshotLength, usesXDP: usesXDP, way: way)
    }
}
