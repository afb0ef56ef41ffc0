import Apus

/// `apus generate`: sends RTP or UDP at a rate or flat out.
enum Generate {
    static let command = Command(
        name: "generate",
        summary: "send RTP or other UDP traffic at a rate",
        discussion: [
            "The packets are made here and do not pass the kernel's stack; the way to the destination and its "
                + "link-layer address come from the kernel. Each flow has a source port, and for RTP an SSRC, of "
                + "its own; sequence numbers and timestamps begin at 0. Plain UDP payloads begin with the packet's "
                + "number in its flow, in 64 bits.",
            "Without --count and --duration it sends for 10 seconds; SIGINT and SIGTERM end it earlier, with the "
                + "summary. AF_XDP and AF_PACKET need CAP_NET_RAW.",
        ],
        usage: ["INTERFACE --to ADDR:PORT [--rate N] [options]"],
        options: [
            to, from, udp, payloadType, ssrc, flows, size, rate, count, duration, backend, json,
        ],
        arguments: [
            Argument(name: "INTERFACE", help: "The interface to send on.", completion: .interface)
        ],
        examples: [
            Example(
                purpose: "10,000 RTP packets a second for 10 seconds",
                line: "apus generate eth0 --to 192.0.2.7:5004 --rate 10000"),
            Example(
                purpose: "A million small UDP packets in 64 flows, as fast as it goes",
                line: "apus generate eth0 --to '[2001:db8::7]:9000' --udp --size 18 --flows 64 --rate max "
                    + "--count 1000000"),
        ],
        run: run)

    // Packets

    static let to = Option(
        long: "to", short: "t", value: .init(name: "ADDR:PORT"),
        help: "Where the packets go: a host or a multicast group.", section: "Packets")
    static let from = Option(
        long: "from", short: "f", value: .init(name: "ADDR:PORT"),
        help: "The source address, one of this host, and the source port of the first flow.",
        defaultText: "the kernel's choice, and port \(defaultPort)", section: "Packets")
    static let udp = Option(long: "udp", help: "Send plain UDP instead of RTP.", section: "Packets")
    static let payloadType = Option(
        long: "payload-type", value: .init(name: "N"),
        help: "RTP's payload type, 0 to 127. A static one brings its clock rate along; others have 90000 Hz.",
        defaultText: "96", section: "Packets")
    static let ssrc = Option(
        long: "ssrc", value: .init(name: "N"),
        help: "The SSRC of the first flow, decimal or with 0x in front; the next have those that follow.",
        defaultText: "a random one", section: "Packets")
    static let flows = Option(
        long: "flows", value: .init(name: "N"),
        help: "How many flows, which take turns and have consecutive source ports.", defaultText: "1",
        section: "Packets")
    static let size = Option(
        long: "size", value: .init(name: "BYTES"),
        help: "The length of the UDP payload, with the RTP header of 12 bytes.", defaultText: "172",
        section: "Packets")

    // Pace

    static let rate = Option(
        long: "rate", short: "r", value: .init(name: "N"),
        help: "Packets a second over all flows, or max for as many as the port takes.", defaultText: "1000",
        section: "Pace")
    static let count = Option(
        long: "count", short: "n", value: .init(name: "N"), help: "End after so many packets.",
        section: "Pace"
    )
    static let duration = Option(
        long: "duration", short: "d", value: .init(name: "SECONDS"), help: "End after so many seconds.",
        defaultText: "10, without --count", section: "Pace")

    // Port and output

    static let backend = Option(
        long: "backend", short: "b",
        value: .init(name: "NAME", completion: .words(BackendChoice.ofKernel.map(\.rawValue))),
        help: "How packets get out: AF_XDP, AF_PACKET, or the best that is to be had.", defaultText: "auto")
    static let json = Option(long: "json", help: "Write the summary as JSON.")

    /// The first of the ports for private use (RFC 6335 section 6).
    static let defaultPort: UInt16 = 49152
}

/// What `apus generate` was asked to do.
struct GenerateOptions: Equatable {
    var interface: String
    var destination: Endpoint
    /// The source as it was asked for: any address leaves it to the kernel.
    var source: Endpoint
    var traffic: GeneratedTraffic
    var backend: BackendChoice
}

extension Generate {
    /// Reads and checks what can be checked without a host.
    static func options(_ invocation: Invocation) throws(ExitFailure) -> GenerateOptions {
        guard let destination = try invocation.value(to, as: Endpoint.self) else {
            throw ExitFailure(.usage, "--to is missing: say where the packets go")
        }
        guard destination.port > 0, !destination.address.isAny else {
            throw ExitFailure(
                .usage, "--to: nothing can be sent to \(destination); name an address and a port")
        }
        let any: IPAddress = if case .v4 = destination.address { .v4(.any) } else { .v6(.any) }
        let source = try invocation.value(from, as: Endpoint.self) ?? Endpoint(any, port: defaultPort)
        guard source.isIPv6 == destination.isIPv6 else {
            throw ExitFailure(
                .usage,
                "--from: \(source) and \(destination) are of different IP versions; both must be of one")
        }
        var traffic = try content(invocation)
        traffic.flows = try invocation.number(flows, in: 1...65_536) ?? 1
        guard Int(source.port) + traffic.flows - 1 <= UInt16.max else {
            throw ExitFailure(
                .usage,
                "--flows: \(traffic.flows) flows need as many source ports, and there are only "
                    + "\(65_536 - Int(source.port)) from \(source.port) on; begin lower with --from")
        }
        traffic.rate = try packetRate(invocation)
        traffic.count = try invocation.number(count, in: 1...Int.max).map(UInt64.init)
        traffic.duration = try invocation.seconds(duration)
        if traffic.count == nil, traffic.duration == nil { traffic.duration = 10_000_000_000 }
        return GenerateOptions(
            interface: try invocation.kernelInterface(), destination: destination, source: source,
            traffic: traffic,
            backend: try invocation.kernelBackend(backend))
    }

    private static func content(_ invocation: Invocation) throws(ExitFailure) -> GeneratedTraffic {
        // Beyond what fits an IP packet; what fits the interface is checked when that is known.
        let size = try invocation.number(size, in: 0...65_527) ?? 172
        if invocation.has(udp) {
            for option in [payloadType, ssrc] where invocation.has(option) {
                throw ExitFailure(.usage, "\(option.name) is RTP's, and cannot stand beside --udp")
            }
            return GeneratedTraffic(.udp, payloadSize: size)
        }
        guard size >= 12 else {
            throw ExitFailure(
                .usage, "--size: an RTP header takes 12 bytes, found \(size); --udp sends shorter ones")
        }
        let type = UInt8(try invocation.number(payloadType, in: 0...127) ?? 96)
        let clock = ClockRate.ofStaticPayloadType(type) ?? 90_000
        return GeneratedTraffic(
            .rtp(payloadType: type, ssrc: try source(invocation), clockRate: clock), payloadSize: size)
    }

    private static func source(_ invocation: Invocation) throws(ExitFailure) -> UInt32 {
        guard let text = invocation.text(ssrc) else { return .random(in: 1...(.max)) }
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let digits = isHexadecimal ? text.dropFirst(2) : text[...]
        if digits.first != "+", let number = UInt32(digits, radix: isHexadecimal ? 16 : 10) { return number }
        throw ExitFailure(.usage, "--ssrc: expected a number from 0 to 4294967295, found \(text.quoted)")
    }

    private static func packetRate(_ invocation: Invocation) throws(ExitFailure) -> UInt64? {
        guard let text = invocation.text(rate) else { return 1000 }
        if text == "max" { return nil }
        if let number = UInt64(text), (1...1_000_000_000).contains(number), text.first != "+" {
            return number
        }
        throw ExitFailure(
            .usage, "--rate: expected packets a second from 1 to 1000000000, or max, found \(text.quoted)")
    }
}

extension Endpoint {
    var isIPv6: Bool { if case .v6 = address { true } else { false } }
}
