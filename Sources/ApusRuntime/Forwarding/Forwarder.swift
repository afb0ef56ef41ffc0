public import ApusConfig
import ApusHost
public import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Glibc

/// A running RTP/UDP forwarder: interfaces, workers, and the control plane that keeps them informed.
///
/// ```swift
/// let forwarder = try Forwarder(ForwarderConfiguration(file: "forward.json5"))
/// while running {
///     wait(for: forwarder.descriptor, atMost: .milliseconds(100))
///     try forwarder.attend()
/// }
/// let summary = forwarder.stop()
/// ```
///
/// It belongs to one thread, the control thread; packets move on the workers' own.
public final class Forwarder {
    var configuration: ForwarderConfiguration
    let host: HostView
    private var directory: StreamDirectory
    private var places: [StreamDirectory.Place]
    private var guards: PortGuards
    let interfaces: OpenInterfaces
    var crew: Crew
    private var neighbors = NeighborKeeper()
    private var paths = PathWatch()
    private var unreachable: [(destination: Endpoint, reason: String)] = []
    var isPlanStale = false
    /// Whether interfaces came or went since the ports were held on them.
    private var areGuardsStale = false
    /// When the last plan was made, and how long that took, in nanoseconds.
    private(set) var lastPlan: UInt64 = 0
    private var planTime: UInt64 = 0
    private var lastCheck: UInt64 = 0
    private let started = Clock.monotonic
    private var isStopped = false
    /// What the XDP programs had counted when they were taken off.
    private var lastSteering: [ForwarderStatus.Steering] = []
    /// What the devices that the kernel does not have had counted when they were closed.
    private var lastDevices: [ForwarderStatus.Device] = []
    /// What is legal in the configuration, and may not be what was meant on this host, with its place.
    public private(set) var warnings: [ConfigurationError] = []
    /// The interfaces on which streams listen.
    private var listening: Set<String> = []
    /// What ``takeNews()`` gives.
    var news: [InterfaceNews] = []
    /// What ``takeStalls()`` gives.
    var stalls: [WorkerStall] = []

    /// Checks the configuration against the host, opens the interfaces and starts the workers.
    ///
    /// Nothing is touched before all checks are passed, and everything is undone when one step fails.
    public init(_ configuration: ForwarderConfiguration) throws(ForwarderError) {
        self.configuration = configuration
        let host = try ForwarderError.lift { () throws(HostError) in try HostView() }
        self.host = host
        let needed = try Self.check(configuration, on: host)
        (warnings, listening) = (needed.warnings, needed.listening)
        directory = StreamDirectory(slots: configuration.limits.streams)
        places = directory.assign(configuration.streams)!
        var guards = PortGuards()
        try guards.update(to: configuration, host: host)
        self.guards = guards
        interfaces = try OpenInterfaces(needed.names, configuration: configuration, host: host)
        do throws(ServiceError) {
            let waiting = try Self.descriptors(host, interfaces)
            descriptor = waiting.descriptor
            self.waiting = waiting
        } catch {
            throw .required("\(error)")
        }
        crew = try interfaces.makeCrew(configuration)
        try replan()
    }

    /// Holds a configuration against itself and the host. Gives the interfaces it needs.
    static func check(
        _ configuration: ForwarderConfiguration, on host: HostView
    ) throws(ForwarderError) -> NeededInterfaces {
        for stream in configuration.streams where configuration.dpdkInterface(listening: stream) == nil {
            // Of a file this is an error with a place; an option's has a place among the exit codes.
            guard let name = stream.interface, case .option = stream.map["interface"] else { continue }
            _ = try ForwarderError.lift { () throws(HostError) in try host.link(named: name) }
        }
        try ForwarderError.lift { () throws(ConfigurationErrors) in try configuration.validate() }
        return try HostCheck.interfaces(for: configuration, on: host)
    }

    /// What each port was granted.
    public var grants: [PortGrant] { crew.grants }

    /// Readable when ``attend()`` has news of the host's network to work on.
    public let descriptor: Int32
    /// The host's descriptor, and that of devices which the kernel does not have.
    private let waiting: DescriptorSet

    /// Does what has to be done now and then: follows changes of routes, addresses and neighbors, asks
    /// for neighbors that are missing, and takes back what workers gave up.
    ///
    /// Call it when ``descriptor`` is readable and at least ten times a second. It goes on after an error, which
    /// it throws again, at most once a second, for as long as the cause is there.
    public func attend() throws(ForwarderError) {
        crew.attend()
        noteStalls()
        let changes = try ForwarderError.lift { () throws(HostError) in try host.process() }
        if changes.concernsForwarding(of: neighbors.inUse) { isPlanStale = true }
        if !changes.links.isEmpty || changes.isResynchronized { areGuardsStale = true }
        closeDeletedInterfaces(changes)
        openReturnedInterfaces()
        attendDevices()
        if isPlanStale, hasPlanInterval() { try replan() }
        if neighbors.attend(host) { isPlanStale = true }
        if paths.attend(host) { isPlanStale = true }
        if Clock.monotonic &- lastCheck >= 1_000_000_000 {
            lastCheck = Clock.monotonic
            let failure = areGuardsStale ? guards.follow(configuration, on: host) : nil
            areGuardsStale = failure != nil
            var trouble = interfaces.check(on: host).map { ForwarderError.needsRestart($0) }
            do throws(ThreadError) {
                try crew.start(copiesBetweenPorts: interfaces.copiesBetweenPorts)
            } catch {
                trouble = .thread(error)
            }
            if let trouble { throw trouble }
            if let failure { throw .host(failure) }
        }
    }

    /// Whether the next plan may be made: no more than a quarter of the time goes into plans, so that a storm
    /// of changes makes some of them and not ten thousand. A wait of some milliseconds is waited here, since
    /// packets may be waiting for the neighbor that has just answered.
    func hasPlanInterval() -> Bool {
        let due = lastPlan &+ min(100_000_000, max(5_000_000, 3 &* planTime))
        let now = Clock.monotonic
        if due > now {
            guard due &- now <= 10_000_000 else { return false }
            // In steps, since what comes for the hosts of devices meanwhile fits their rings for a millisecond or two.
            while Clock.monotonic < due {
                usleep(UInt32(min(1_000_000, max(1000, due &- min(due, Clock.monotonic))) / 1000))
                attendDevices()
            }
        }
        return true
    }

    /// Takes up another configuration while packets flow.
    ///
    /// Streams that stay lose no packet and keep their statistics. When it can't be taken up, the
    /// one before goes on unchanged. An interface that has come since the start is not opened; where only listening
    /// at any address asks for it, ``warnings`` name it.
    public func reload(_ new: ForwarderConfiguration) throws(ForwarderError) {
        var needed = try Self.check(new, on: host)
        for name in needed.leaveOut(butFor: interfaces.names) {
            needed.warnings.append(
                new.error(
                    "what comes in by \(name), which was not there at the start, is not received before a restart",
                    at: .unknown))
        }
        if let obstacle = interfaces.reasonToRestart(needed, old: configuration, new: new) {
            throw .unavailable(
                ConfigurationErrors(new.error(obstacle.reason, at: obstacle.place)))
        }
        // On copies, so that the old ones go on when a later step fails.
        var (directory, guards) = (directory, guards)
        guard let places = directory.assign(new.streams) else {
            throw .needsRestart("there are more streams than the limit of \(new.limits.streams)")
        }
        try guards.update(to: new, host: host)
        try interfaces.serve(OpenInterfaces.endpoints(of: new, on: host))
        (self.directory, self.places, self.guards, configuration) = (directory, places, guards, new)
        (warnings, listening) = (needed.warnings, needed.listening)
        // Should the host not answer now, `attend` asks it again.
        isPlanStale = true
        try replan()
    }

    func replan() throws(ForwarderError) {
        let begin = Clock.monotonic
        var builder = PlanBuilder(
            configuration, places: places, host: host, interfaceNumbers: interfaces.numbers(on: host),
            devices: interfaces.devices, silent: neighbors.silent)
        let plan = try ForwarderError.lift { () throws(HostError) in try builder.plan() }
        crew.order(plan, slots: configuration.limits.streams, interfaces: interfaces.macAddresses(on: host))
        neighbors.use(builder.neighbors, unresolved: builder.unresolved)
        for device in interfaces.devices.values {
            device.use(builder.neighbors, builder.flows[device.number] ?? [])
        }
        paths.use(builder.resolutions)
        unreachable = builder.unreachable
        isPlanStale = false
        lastPlan = Clock.monotonic
        planTime = lastPlan &- begin
        // Addresses may have come or gone.
        if configuration.streams.contains(where: \.listen.address.isAny) {
            try interfaces.serve(OpenInterfaces.endpoints(of: configuration, on: host))
        }
    }

    /// What it has done so far.
    public func status() -> ForwarderStatus {
        var status = ForwarderStatus()
        status.uptime = Double(Clock.monotonic &- started) / 1e9
        var figures = [StreamFigures](repeating: StreamFigures(), count: places.count)
        for number in crew.members.indices {
            let board = crew.members[number].board
            status.add(board.counters)
            status.stalls += crew.members[number].watch.stalls
            for queue in crew.members[number].queues {
                status.ports.append(
                    ForwarderStatus.Port(
                        crew.members[number].grant(of: queue), crew.members[number].statistics(of: queue),
                        isOpen: queue.port != nil))
            }
            for (position, place) in places.enumerated() {
                let counters = StreamFigures(
                    board.counters.streams[place.slot], generation: place.generation)
                if let counters { figures[position].merge(counters) }
            }
        }
        status.streams = zip(configuration.streams, figures).map { stream, figures in
            ForwarderStatus.Stream(
                name: stream.name, listen: "\(stream.listen)", destinations: stream.to.map(\.description),
                figures: figures)
        }
        let devices = interfaces.devices
        status.interfaces = interfaces.names.enumerated().map { number, name in
            ForwarderStatus.Interface(
                name: name, isOpen: interfaces.absences[number] == nil,
                isReceiving: interfaces.absences[number] == nil && !interfaces.deaf.contains(number)
                    && devices[name]?.isLinkDown != true,
                isListening: listening.contains(name),
                reason: interfaces.absences[number] ?? interfaces.troubles[number] ?? devices[name]?.trouble)
        }
        status.devices = isStopped ? lastDevices : interfaces.openDevices.map(\.host.figures)
        status.steering = isStopped ? lastSteering : interfaces.steering
        for (destination, reason) in unreachable { status.unreachable["\(destination)"] = reason }
        return status
    }

    /// Ends the workers, closes the interfaces and gives the final figures.
    public func stop() -> ForwarderStatus {
        if !isStopped {
            isStopped = true
            crew.stop()
            lastSteering = interfaces.steering
            lastDevices = interfaces.openDevices.map { device in
                device.host.stop()
                return device.host.figures
            }
            interfaces.close()
        }
        return status()
    }

    deinit { _ = stop() }
}
