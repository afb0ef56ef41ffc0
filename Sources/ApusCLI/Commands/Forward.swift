import Apus
import ApusRuntime

/// `apus forward`: builds the configuration from a file or from options, checks it, and runs it.
enum Forward {
    static let command = Command(
        name: "forward",
        summary: "relay RTP and other UDP streams, each to one or more destinations",
        discussion: [
            "Packets that arrive at the listening address go out again from this host to each "
                + "destination. The interface, the next hops and their link-layer addresses come from the kernel. "
                + "\"ready\" on standard error says that packets flow. SIGHUP reads the file again, without losing a "
                + "packet of streams that stay; what would open another interface, or change the settings of ports, "
                + "workers or limits, is refused, as that takes a restart. SIGTERM and SIGINT stop it with a summary.",
            "What is sent comes from the listening address and port, by whatever interface the route has. Where the "
                + "destination has the other IP version, or the listening address is any or a group, it comes from the "
                + "address that the kernel takes on the outgoing interface. A router that checks sources (uRPF) must "
                + "know the way back to the one that is used.",
            "A terminal that hangs up sends SIGHUP too, so that the forwarder goes on without it; with --stats it ends, "
                + "with code \(ExitCode.unavailable.rawValue), as nobody reads its output any more. So it does when the "
                + "reader of a pipe goes.",
            "Streams of a VLAN interface are received and sent by the interface beneath it, which is the one that is "
                + "opened; the tags of what is sent are those of the VLAN interface, whose link-layer address must be "
                + "the same. What a stream receives is decided by its listening address and port alone: up to two "
                + "VLAN tags are looked through, whatever VLAN they name. The kernel would not do so, so where "
                + "others may send tagged frames to the interface, have the switch, or the card "
                + "(ethtool -K IF rx-vlan-filter on), drop the VLANs that are not this host's.",
            "AF_XDP needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON, and CAP_IPC_LOCK where the limit of "
                + "locked memory (ulimit -l) is too low for its frames; before Linux 5.8 CAP_SYS_ADMIN stands for "
                + "CAP_BPF and CAP_PERFMON. CAP_SYS_ADMIN is also what it takes to see what a killed process left "
                + "and to be beside other XDP programs. AF_PACKET needs CAP_NET_RAW alone. What was "
                + "granted, and why if it is less than what was asked for, is said at the start.",
            "The manual, which apus man prints, explains the keys of a configuration file.",
        ],
        usage: [
            "--listen ADDR:PORT --to ADDR:PORT [--to ADDR:PORT…] [options]",
            "--config FILE [--check] [options]",
        ],
        options: [
            listen, to, ttl, noRTP, config, check, interface, backend, address, gateway, mode,
            zeroCopy, hugepages, queues,
            ringSize,
            frameSize, frames, busyPoll, busyPollBudget, workers, cpu, spin, sleep, stats, json, metrics,
            control,
        ],
        examples: [
            Example(
                purpose: "Relay a camera's stream to a receiver",
                line: "apus forward --listen 192.0.2.1:5004 --to 198.51.100.7:5004"),
            Example(
                purpose: "To two receivers, one of them over IPv6, and watch",
                line: "apus forward -l 192.0.2.1:5004 -t 198.51.100.7:5004 -t '[2001:db8::7]:5004' --stats"),
            Example(
                purpose: "On an interface whose driver runs XDP and gives zero-copy, or not at all",
                line: "apus forward -l 192.0.2.1:5004 -t 198.51.100.7:5004 -i eth0 -b xdp --zero-copy require"
            ),
            Example(
                purpose: "Many streams from a file, checked before it is used",
                line: "apus forward --config forward.json5 --check && apus forward --config forward.json5"),
        ],
        run: run)

    @Sendable private static func run(_ invocation: Invocation) throws(ExitFailure) {
        let configuration = try configuration(invocation)
        if invocation.has(check) { return try check(configuration, invocation) }
        let options = ForwardOptions(
            showsStatistics: invocation.has(stats), writesJSON: invocation.has(json),
            configurationFile: invocation.text(config))
        try runForwarder(configuration, options: options, invocation)
    }

    private static func configuration(_ invocation: Invocation) throws(ExitFailure) -> ForwarderConfiguration
    {
        guard let file = invocation.text(config) else { return try configurationFromOptions(invocation) }
        // What a file says is said there alone, so that a reload cannot mean something else than the start did.
        let beside: Set = [config, check, stats, json].map(\.long).reduce(into: []) { $0.insert($1) }
        if let other = invocation.command.options.first(where: {
            !beside.contains($0.long) && invocation.has($0)
        }) {
            throw ExitFailure(
                .usage, "\(other.name) cannot stand beside --config; write it in \(file.quoted)")
        }
        do throws(ConfigurationFileError) {
            return try ForwarderConfiguration(file: file)
        } catch {
            if case .invalid(let errors) = error { throw ExitFailure(errors) }
            throw ExitFailure(ExitCode(FailureKind(of: error)), "\(error)")
        }
    }

    /// `--check`: holds it against this host, in the order of a start, and says what it holds.
    private static func check(
        _ configuration: ForwarderConfiguration, _ invocation: Invocation
    ) throws(ExitFailure) {
        do throws(ServiceError) {
            try ForwarderService.check(configuration)
        } catch {
            throw ExitFailure(error)
        }
        do throws(ForwarderError) {
            for warning in try Forwarder.check(configuration) {
                invocation.errorOutput.line("\(warning)".printableLines)
            }
        } catch {
            throw ExitFailure(error)
        }
        let summary = ConfigurationSummary(
            interfaces: configuration.interfaces.count, streams: configuration.streams.count,
            destinations: configuration.streams.reduce(0) { $0 + $1.to.count })
        if invocation.has(json) {
            invocation.output.json(summary, spread: false)
        } else {
            let name =
                invocation.text(config).map { $0 == "-" ? "standard input: " : "\($0.printable): " } ?? ""
            invocation.output.line(
                "\(name)fine: \(plural(summary.streams, "stream")) to \(plural(summary.destinations, "destination"))"
            )
        }
    }

    private struct ConfigurationSummary: Encodable {
        var interfaces: Int
        var streams: Int
        var destinations: Int
    }

    private static func plural(_ count: Int, _ word: String) -> String {
        "\(Units.count(count)) \(word)\(count == 1 ? "" : "s")"
    }
}
