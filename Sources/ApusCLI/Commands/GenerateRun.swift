import Apus

extension Generate {
    /// How long the next hop may take to answer, in milliseconds.
    private static let patience = 3000

    @Sendable static func run(_ invocation: Invocation) throws(ExitFailure) {
        let options = try options(invocation)
        let host: HostView
        let link: Link
        do throws(HostError) {
            host = try HostView()
            link = try host.link(named: options.interface)
        } catch {
            throw ExitFailure(error)
        }
        let hop = try nextHop(options, by: link, host)
        let headers = try headers(options, hop)
        let frame = try frameSize(options, headers, hop)
        let run = GenerateRun(options: options, headers: headers, invocation: invocation)
        switch try openToSend(on: hop.interfaceName, options.backend, frame, log: invocation.errorOutput) {
        case .xdp(var port): try run.send(by: &port)
        case .packet(var port): try run.send(by: &port)
        }
    }

    private static func nextHop(
        _ options: GenerateOptions, by link: Link, _ host: HostView
    ) throws(ExitFailure) -> NextHop {
        let query = Route.Query(
            to: options.destination.address,
            from: options.source.address.isAny ? nil : options.source.address, by: link.index,
            port: options.destination.port)
        do throws(TrafficRouteError) {
            return try host.nextHop(query, within: patience)
        } catch {
            switch error {
            case .unreachable(.ourselves), .unreachable(.broadcast):
                throw ExitFailure(.usage, "--to: \(error)")
            default: throw ExitFailure(.unavailable, "\(error)")
            }
        }
    }

    private static func headers(
        _ options: GenerateOptions, _ hop: NextHop
    ) throws(ExitFailure) -> UDPEncapsulation {
        let source = options.source.address.isAny ? hop.source : options.source.address
        let tags = hop.vlans.map { VLANTag(tagProtocol: EtherType(rawValue: $0.tpid), identifier: $0.id) }
        let headers = hop.destinationMAC.flatMap { mac in
            UDPEncapsulation(
                nextHop: mac, interface: hop.sourceMAC,
                tags: tags.count == 2
                    ? VLANTags(outer: tags[0], inner: tags[1])
                    : tags.first.map { VLANTags($0) } ?? VLANTags(),
                source: Endpoint(source, port: options.source.port), destination: options.destination)
        }
        guard let headers else {
            throw ExitFailure(
                .unavailable,
                "the address \(source) of \(hop.interfaceName) can't send to \(options.destination)")
        }
        return headers
    }

    /// The smallest frames that hold the packets; wrong usage if none does, or the way is too narrow.
    private static func frameSize(
        _ options: GenerateOptions, _ headers: UDPEncapsulation, _ hop: NextHop
    ) throws(ExitFailure) -> FrameSize {
        let overhead = options.destination.isIPv6 ? 48 : 28
        let payload = options.traffic.payloadSize
        guard payload + overhead <= hop.mtu else {
            throw ExitFailure(
                .usage,
                "--size: the MTU of \(hop.mtu) on \(hop.interfaceName) leaves \(hop.mtu - overhead) bytes, "
                    + "found \(payload)")
        }
        for size in [FrameSize.bytes2048, .bytes4096] where payload <= size.capacity { return size }
        throw ExitFailure(
            .usage, "--size: a frame holds \(FrameSize.bytes4096.capacity) bytes, found \(payload)")
    }
}

/// One run of the generator: its port, what is shown meanwhile, and the summary.
private struct GenerateRun {
    let options: GenerateOptions
    let headers: UDPEncapsulation
    let invocation: Invocation

    func send<Driver: PortDriver & ~Copyable>(by port: inout Port<Driver>) throws(ExitFailure) {
        let log = invocation.errorOutput
        for line in GrantText.lines([port.grant]) { log.line(line) }
        let signals = try StopSignals()
        var generator = Generator(options.traffic, headers: headers)
        var view = LiveView(on: log)
        var (lastTaken, lastTime, isInterrupted) = (UInt64(0), UInt64(0), false)
        while !generator.isFinished {
            generator.run(on: &port, milliseconds: 100)
            if signals.hasCome {
                isInterrupted = true
                generator.stop()
            }
            let (taken, time) = (generator.taken, generator.running)
            if log.isTerminal, time >= lastTime + 500_000_000 {
                let rate = Double(taken - lastTaken) / (Double(time - lastTime) / 1e9)
                let line =
                    "\(Units.count(Int(taken))) packets in \(time / 1_000_000_000) s, \(Units.packetRate(rate))"
                view.show([line], plain: line)
                (lastTaken, lastTime) = (taken, time)
            }
        }
        let report = generator.finish(on: &port)
        show(report, backend: port.grant.backend, isInterrupted: isInterrupted)
        if report.isTooLong {
            throw ExitFailure(
                .unavailable, "the packets do not fit the frames of this port; ask for a smaller --size")
        }
    }

    private func show(_ report: GeneratorReport, backend: Backend, isInterrupted: Bool) {
        let summary = GenerateSummary(report, options, backend: backend, isInterrupted: isInterrupted)
        if invocation.has(Generate.json) {
            invocation.output.json(summary, spread: false)
        } else {
            for line in summary.lines { invocation.output.line(line) }
        }
    }
}

/// What came of it, for people and programs.
struct GenerateSummary: Encodable {
    var to: String
    var interface: String
    var backend: String
    /// Packets that have left, and their bytes with link-layer headers.
    var packets: UInt64
    var bytes: UInt64
    var seconds: Double
    /// Packets a second; not there where as many as possible were wanted.
    var wantedRate: UInt64?
    /// Packets and bits a second; not there where all left at once, within what the clock can tell.
    var reachedRate: Double?
    var bitRate: Double?
    /// Packets that the port took and the kernel did not, within a second after the last one. They are lost.
    var pending: UInt64
    /// Packets that the port dropped, by reason.
    var drops: [String: UInt64]
    var interrupted: Bool

    init(_ report: GeneratorReport, _ options: GenerateOptions, backend: Backend, isInterrupted: Bool) {
        (to, interface, self.backend) = ("\(options.destination)", options.interface, backend.rawValue)
        (packets, bytes) = (report.statistics.sent, report.statistics.sentBytes)
        (seconds, wantedRate) = (report.seconds, report.rate)
        if report.nanoseconds > 0 { (reachedRate, bitRate) = (report.reachedRate, report.bitRate) }
        (pending, drops) = (report.statistics.pending, report.statistics.drops.byLabel)
        interrupted = isInterrupted
    }

    var lines: [String] {
        var line =
            "sent \(Units.count(Int(packets))) packet\(packets == 1 ? "" : "s"), \(Units.count(Int(bytes))) bytes to \(to)"
        if let reachedRate, let bitRate {
            line +=
                " in \(Units.seconds(seconds)): \(Units.packetRate(reachedRate)), \(Units.bitRate(bitRate))"
        }
        var lines = [line]
        if let wantedRate, let reachedRate {
            let share = Units.percent(reachedRate / Double(wantedRate))
            lines.append("wanted \(Units.packetRate(Double(wantedRate))), reached \(share)")
        }
        if pending > 0 { lines.append("not sent within a second: \(Units.count(Int(pending)))") }
        if !drops.isEmpty {
            let list = drops.sorted { $0.key < $1.key }.map { "\($0.key) \(Units.count(Int($0.value)))" }
            lines.append("dropped: \(list.joined(separator: ", "))")
        }
        return lines
    }
}

extension PortDrops {
    /// The reasons for which packets were dropped, by their labels.
    var byLabel: [String: UInt64] {
        PortDrop.allCases.reduce(into: [:]) { list, reason in
            if self[reason] > 0 { list[reason.label] = self[reason] }
        }
    }
}

extension Units {
    /// `2.00 s`, `12.3 ms`, `4.56 µs`.
    static func seconds(_ value: Double) -> String {
        if value > 0, value < 0.000_999_5 { return "\(decimal(value * 1e6)) µs" }
        if value > 0, value < 0.1 { return "\(decimal(value * 1e3)) ms" }
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) s"
    }
}
