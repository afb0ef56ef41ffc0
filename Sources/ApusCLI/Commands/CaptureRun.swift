import Apus
import Glibc

extension Capture {
    @Sendable static func run(_ invocation: Invocation) throws(ExitFailure) {
        let options = try options(invocation)
        do throws(HostError) {
            let link = try HostView().link(named: options.interface)
            warn(of: link, options, on: invocation.errorOutput)
        } catch {
            throw ExitFailure(error)
        }
        if options.usesXDP {
            var ports = try openXDP(options)
            try capture(from: &ports, options, invocation)
        } else {
            var ports = try openPacket(options)
            try capture(from: &ports, options, invocation)
        }
    }

    /// What the one who captures should know beforehand.
    private static func warn(of link: Link, _ options: CaptureOptions, on log: Output) {
        if options.usesXDP {
            let list = options.ports.map(String.init).joined(separator: ", ")
            log.line(
                log.style.bold("warning:")
                    + " UDP to port \(list) on \(link.name.printable) goes to the file and not to this host while this runs"
            )
            return
        }
        if let program = link.xdpProgram {
            log.line(
                log.style.bold("warning:")
                    + " an XDP program (\(program.mode.rawValue), id \(program.id)) is on \(link.name.printable); what it takes, drops "
                    + "or sends on is not captured")
        }
        guard let offloads = try? InterfaceFacts(link).offloads else { return }
        for (isOn, name, feature) in [
            (offloads.genericReceive, "GRO", "gro"), (offloads.largeReceive, "LRO", "lro"),
        ] where isOn == true && options.ports.isEmpty {
            log.line(
                "\(name) is on, so that packets of a flow may come merged, and are lost when they are longer than "
                    + "a frame: ethtool -K \(shellWord(link.name)) \(feature) off")
        }
    }

    private static func openPacket(
        _ options: CaptureOptions
    ) throws(ExitFailure) -> FixedArray<Port<PacketSocketDriver>> {
        var socket = PacketSocketOptions()
        socket.filter = options.ports.isEmpty ? .everything : .udpPorts(options.ports)
        socket.direction = options.way.socket
        socket.receiveRing = .slots(count: 16_384)
        // Nothing is sent.
        socket.transmitSlots = 16
        return try FixedArray(count: 1) { (_) throws(ExitFailure) in
            try openPacketSocket(options.interface, socket, frames: 256, .bytes4096)
        }
    }

    private static func openXDP(_ options: CaptureOptions) throws(ExitFailure) -> FixedArray<Port<XDPDriver>>
    {
        do throws(XDPError) {
            var wanted = XDPOptions()
            wanted.frameSize = .bytes4096
            let interface = try XDPInterface(options.interface, wanted)
            // All queues first: what comes in by one without a port would go past the file.
            let ports = try FixedArray(count: interface.queueCount) { (queue) throws(XDPError) in
                try interface.open(queue: queue)
            }
            for port in options.ports {
                try interface.add(Endpoint(.v4(.any), port: port))
                try interface.add(Endpoint(.v6(.any), port: port))
            }
            return ports
        } catch {
            throw ExitFailure(ForwarderError.xdp(error))
        }
    }

    private static func capture<Driver: PortDriver & ~Copyable>(
        from ports: inout FixedArray<Port<Driver>>, _ options: CaptureOptions, _ invocation: Invocation
    ) throws(ExitFailure) {
        let log = invocation.errorOutput
        var grants: [PortGrant] = []
        for number in ports.indices { grants.append(ports[number].grant) }
        for line in GrantText.lines(grants) { log.line(line) }
        let signals = try StopSignals()
        var recorder: CaptureRecorder
        do throws(CaptureError) {
            recorder = try CaptureRecorder(options)
        } catch {
            throw ExitFailure(.noInput, "\(error)")
        }
        log.line("ready")
        let start = monotonicClock()
        let end = options.duration < .max - start ? start + options.duration : .max
        recorder.waitLimit = .init(descriptor: signals.number, deadline: end)
        var view = LiveView(on: log)
        var (now, look, shown) = (start, start, (time: start, packets: UInt64(0)))
        var isOver = false
        while !recorder.isFull {
            let isQuiet = recorder.record(from: &ports) == 0
            // What was there when the end came is still received.
            if isOver, isQuiet || now > look + 1_000_000_000 { break }
            if isQuiet {
                recorder.flush()
                wait(for: ports, milliseconds: Int32(min((end - min(now, end)) / 1_000_000 + 1, 100)))
            }
            now = monotonicClock()
            guard !isOver, now >= look + 50_000_000 || now >= end else { continue }
            look = now
            isOver = now >= end || signals.hasCome
            // The signal has been read now, and is no longer to be seen.
            if isOver { recorder.waitLimit?.deadline = now }
            if log.isTerminal, now >= shown.time + 500_000_000 {
                let rate = Double(recorder.count - shown.packets) / (Double(now - shown.time) / 1e9)
                let line = "\(Units.count(Int(recorder.count))) packets, \(Units.packetRate(rate))"
                view.show([line], plain: line)
                shown = (now, recorder.count)
            }
        }
        recorder.flush()
        var summary = CaptureSummary(options, recorder, seconds: Double(monotonicClock() - start) / 1e9)
        for number in ports.indices { summary.add(ports[number].statistics().drops) }
        let place = options.file == nil ? log : invocation.output
        if invocation.has(json) {
            place.json(summary, spread: false)
        } else {
            for line in summary.lines { place.line(line) }
        }
        if let failure = recorder.failure { throw ExitFailure(.unavailable, "\(failure)") }
    }

    private static func wait<Driver: PortDriver & ~Copyable>(
        for ports: borrowing FixedArray<Port<Driver>>, milliseconds: Int32
    ) {
        var descriptors: [pollfd] = []
        for number in ports.indices {
            descriptors.append(
                pollfd(fd: ports[number].driver.readyDescriptor, events: Int16(POLLIN), revents: 0))
        }
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds)
    }
}

/// Takes packets from ports and puts them into the file.
private struct CaptureRecorder: ~Copyable {
    private var writer: CaptureWriter
    private var burst = Burst()
    private let limit: UInt64
    private let ports: [UInt16]
    private let direction: CaptureDirection
    /// The bytes of the packets, as far as they were recorded.
    private(set) var bytes: UInt64 = 0

    init(_ options: CaptureOptions) throws(CaptureError) {
        writer =
            if let file = options.file {
                try CaptureWriter(
                    path: file, format: options.format, interface: options.interface,
                    snapshotLength: options.snap)
            } else {
                try CaptureWriter(
                    standardOutputAs: options.format, interface: options.interface,
                    snapshotLength: options.snap)
            }
        (limit, ports, direction) = (options.count, options.ports, options.way.recorded)
    }

    /// What ends the wait for a reader who takes nothing.
    var waitLimit: CaptureWriter.WaitLimit? {
        get { writer.waitLimit }
        set { writer.waitLimit = newValue }
    }

    var count: UInt64 { writer.count }
    var failure: CaptureError? { writer.failure }
    var isFull: Bool { writer.count >= limit || writer.failure != nil }

    /// Records a burst of each port; returns how many packets there were.
    mutating func record<Driver: PortDriver & ~Copyable>(from ports: inout FixedArray<Port<Driver>>) -> Int {
        var received = 0
        for number in ports.indices {
            received += ports[number].receive(into: &burst)
            while let packet = burst.popFirst() {
                guard !isFull, isWanted(packet) else { continue }
                bytes += UInt64(min(packet.totalCount, writer.snapshotLength))
                writer.append(
                    packet, timestamp: packet.timestamp == 0 ? realtimeClock() : packet.timestamp,
                    direction: direction)
            }
        }
        return received
    }

    /// Whether it goes to one of the ports that were asked for, or might: the kernel's filter lets IPv6 packets
    /// with extension headers through, whatever they carry.
    private func isWanted(_ packet: borrowing Packet) -> Bool {
        guard !ports.isEmpty else { return true }
        do throws(ParseFailure) {
            return ports.contains(try FlowHeaders(checking: packet.bytes).destinationPort)
        } catch {
            return error != .notUDP && error != .laterFragment
        }
    }

    /// Lets what was recorded reach the file.
    mutating func flush() { writer.flush() }
}

/// What came of it, for people and programs.
struct CaptureSummary: Encodable {
    /// The file; - for standard output.
    var file: String
    var interface: String
    var packets: UInt64
    /// As far as they were recorded.
    var bytes: UInt64
    var seconds: Double
    /// Packets that did not reach the file, by reason.
    var drops: [String: UInt64] = [:]

    fileprivate init(_ options: CaptureOptions, _ recorder: borrowing CaptureRecorder, seconds: Double) {
        (file, interface) = (options.file ?? "-", options.interface)
        (packets, bytes, self.seconds) = (recorder.count, recorder.bytes, seconds)
    }

    mutating func add(_ more: PortDrops) { drops.merge(more.byLabel, uniquingKeysWith: +) }

    var lines: [String] {
        let line =
            "wrote \(Units.count(Int(packets))) packet\(packets == 1 ? "" : "s"), \(Units.count(Int(bytes))) bytes "
            + "to \(file == "-" ? "standard output" : file.printable) in \(Units.seconds(seconds))"
        guard !drops.isEmpty else { return [line] }
        let list = drops.sorted { $0.key < $1.key }.map { "\($0.key) \(Units.count(Int($0.value)))" }
        return [line, "dropped: \(list.joined(separator: ", "))"]
    }
}

/// Nanoseconds since some moment, never set back.
private func monotonicClock() -> UInt64 { clock(CLOCK_MONOTONIC) }

/// Nanoseconds since 1970.
private func realtimeClock() -> UInt64 { clock(CLOCK_REALTIME) }

private func clock(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe _ = clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
