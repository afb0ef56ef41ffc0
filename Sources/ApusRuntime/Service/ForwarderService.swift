public import ApusConfig
public import ApusWire
import Glibc

/// What keeps a forwarder running and steers it: signals, the control socket, the metrics server, and the
/// service manager.
///
/// ```swift
/// let service = try ForwarderService(configuration)  // before the forwarder starts its threads
/// let forwarder = try Forwarder(configuration)
/// let summary = service.run(
///     forwarder, reloadFrom: { try ForwarderConfiguration(file: path) },
///     onTick: { print($0.sent) }, onEvent: { print($0) })
/// ```
///
/// SIGHUP and the control socket's `reload` read the configuration again; if that fails, the forwarder goes on
/// with the one it has. A metrics server that moves to an address that overlaps its own, such as from 127.0.0.1 to
/// 0.0.0.0 at one port, ends with the answers it is giving before the new one is opened, and comes back if that or
/// the rest of the configuration can't be had. SIGTERM, SIGINT and `stop` end it. A second SIGTERM or SIGINT ends the
/// process at once when the interfaces are given back or two seconds have passed, but for one within 200 ms, which is
/// the first one again.
/// It belongs to the thread that made it, which must start the others after it.
public final class ForwarderService {
    /// How often ``run(_:reloadFrom:onTick:onEvent:)`` hands out the figures; nil, and it never does.
    public var statisticsInterval: Duration?

    private let signals: SignalDescriptor
    private let notifier = ServiceNotifier()
    private let cache = StatusCache()
    private var control: ControlSocket?
    private var metrics: MetricsServer?
    private var reloadAskers: [Asker] = []
    private var stopAsker: Asker?
    private var reloadLog = ReloadLog()
    private var lastTrouble: (text: String, time: UInt64)?

    /// Takes the signals, and opens the control socket and the metrics server that `configuration` asks for.
    /// They answer when ``run(_:reloadFrom:onTick:onEvent:)`` is called.
    public init(_ configuration: ForwarderConfiguration) throws(ServiceError) {
        signals = try SignalDescriptor()
        // First, as the control socket makes a file, and an address that is not this host's makes none.
        metrics = try MetricsServer(for: configuration) { [cache] in cache.snapshot }
        if let wanted = configuration.control { control = try ControlSocket(wanted) }
    }

    /// Where the metrics server listens, if there is one.
    public var metricsEndpoint: Endpoint? { metrics?.endpoint }

    /// Has ``run(_:reloadFrom:onTick:onEvent:)`` return, as SIGTERM would. To be called from one of its closures.
    ///
    /// - Parameter reason: for the log, such as "nobody reads the figures any more".
    public func stop(because reason: String? = nil) {
        if stopAsker == nil { stopAsker = .program(reason: reason) }
    }

    /// Runs the forwarder until it is told to stop, and returns the final figures.
    ///
    /// - Parameters:
    ///   - reloadFrom: gives the configuration as it is now, when a reload is asked for.
    ///   - onTick: gets the figures every ``statisticsInterval``.
    ///   - onEvent: gets what happens, for a log.
    public func run(
        _ forwarder: Forwarder, reloadFrom: () throws -> ForwarderConfiguration,
        onTick: (ForwarderStatus) -> Void = { _ in }, onEvent: (Event) -> Void = { _ in }
    ) -> ForwarderStatus {
        serve(forwarder, reloadFrom: reloadFrom, onTick: onTick, onEvent: onEvent)
    }

    func serve(
        _ forwarder: some ServedForwarder, reloadFrom: () throws -> ForwarderConfiguration,
        onTick: (ForwarderStatus) -> Void, onEvent: (Event) -> Void
    ) -> ForwarderStatus {
        cache.serve(forwarder)
        for warning in forwarder.warnings { onEvent(.warning(warning)) }
        onEvent(.ready)
        notifier.ready(summary)
        var schedule = Schedule(statistics: statisticsInterval, watchdog: notifier.watchdogInterval)
        while stopAsker == nil {
            let ready = wait(for: forwarder, until: schedule.next)
            let due = schedule.take()
            if ready.forwarder || due.tick { attend(forwarder, onEvent) }
            for request in signals.requests() {
                switch request {
                case .reload: reloadAskers.append(.signal(SIGHUP))
                case .stop(let number): stopAsker = .signal(number)
                }
            }
            if ready.control || due.tick { control?.attend(perform) }
            metrics?.attend()
            // One for all who have asked, so that a storm of them leaves time for the rest.
            if !reloadAskers.isEmpty { reload(forwarder, reloadFrom, onEvent) }
            if due.tick { tellReloads(forwarder, Clock.monotonic, onEvent) }
            if due.statistics { onTick(forwarder.status()) }
            if due.watchdog { notifier.feedWatchdog() }
        }
        return end(forwarder, onEvent)
    }

    private var summary: String {
        let count = cache.status.streams.count
        return "forwarding \(count) stream\(count == 1 ? "" : "s")"
    }

    /// Waits for something to happen, at most until `time`.
    private func wait(
        for forwarder: some ServedForwarder, until time: UInt64
    ) -> (forwarder: Bool, control: Bool) {
        let now = Clock.monotonic
        // Rounded up, or the last part of a millisecond would be spun away.
        var limit = time > now ? Int32(clamping: (time - now + 999_999) / 1_000_000) : 0
        if let timeout = metrics?.timeout { limit = min(limit, timeout) }
        let descriptors = [
            forwarder.descriptor, control?.descriptor ?? -1, signals.descriptor, metrics?.descriptor ?? -1,
        ]
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        // Sound: the array is not touched during the call. EINTR looks like nothing has happened, which is right.
        guard unsafe poll(&polled, nfds_t(polled.count), limit) > 0 else { return (false, false) }
        return (polled[0].revents != 0, polled[1].revents != 0)
    }

    /// What a client of the control socket asks for.
    private func perform(_ command: ControlCommand, _ peer: PeerCredentials?) -> ControlAnswer {
        let asker = Asker.control(process: peer?.process ?? 0, user: peer?.user ?? .max)
        switch command {
        case .status: return .status(cache.snapshot)
        case .reload:
            reloadAskers.append(asker)
            return .later
        case .stop:
            if stopAsker == nil { stopAsker = asker }
            return .done()
        case .help: return .done()
        }
    }

    private func attend(_ forwarder: some ServedForwarder, _ onEvent: (Event) -> Void) {
        do throws(ForwarderError) { try forwarder.attend() } catch { report("\(error)", onEvent) }
        for stall in forwarder.takeStalls() { report("\(stall)", onEvent) }
        for one in forwarder.takeNews() {
            onEvent(.interface(one))
            // Who reads that and asks gets no older figures.
            cache.serve(forwarder)
        }
    }

    /// The same trouble is told every ten seconds only.
    private func report(_ text: String, _ onEvent: (Event) -> Void) {
        let now = Clock.monotonic
        if let last = lastTrouble, last.text == text, now &- last.time < 10_000_000_000 { return }
        lastTrouble = (text, now)
        onEvent(.trouble(text))
    }

    private func reload(
        _ forwarder: some ServedForwarder, _ source: () throws -> ForwarderConfiguration,
        _ onEvent: (Event) -> Void
    ) {
        let askers = reloadAskers
        reloadAskers = []
        let isTold = reloadLog.tells(Clock.monotonic)
        if isTold { onEvent(.reloading(askers[0])) }
        let outcome: Event
        notifier.reloading()
        do {
            let configuration = try source()
            var change = try EndpointChange(
                to: configuration, control: control, metrics: &metrics, cache: cache)
            do throws(ForwarderError) {
                try forwarder.reload(configuration)
            } catch {
                do throws(ServiceError) {
                    try change.undo(&metrics)
                } catch let lost {
                    report("\(lost)", onEvent)
                }
                throw error
            }
            cache.serve(forwarder)
            let answer = ControlAnswer.done(["streams": UInt64(configuration.streams.count)])
            // A socket that goes takes its clients along; all others hear of it when all of it is in force.
            if configuration.control == nil { control?.answerWaiting(answer) }
            do throws(ServiceError) {
                try change.apply(to: &control, &metrics)
            } catch {
                report("\(error)", onEvent)
            }
            control?.answerWaiting(answer)
            outcome = .reloaded(configuration)
        } catch {
            control?.answerWaiting(.failed("\(error)", FailureKind(of: error)))
            outcome = .reloadFailed("\(error)")
        }
        if isTold {
            tell(outcome, of: forwarder, onEvent)
        } else {
            reloadLog.join(askers[0], outcome)
        }
        notifier.ready(summary)
    }

    /// Tells of the reloads that were too many for a line each.
    private func tellReloads(_ forwarder: some ServedForwarder, _ now: UInt64, _ onEvent: (Event) -> Void) {
        guard let joined = reloadLog.take(now) else { return }
        onEvent(.reloadedMore(count: joined.count, joined.asker))
        if let failure = joined.failure { onEvent(failure) }
        tell(joined.outcome, of: forwarder, onEvent)
    }

    private func tell(_ outcome: Event, of forwarder: some ServedForwarder, _ onEvent: (Event) -> Void) {
        onEvent(outcome)
        guard case .reloaded = outcome else { return }
        for warning in forwarder.warnings { onEvent(.warning(warning)) }
    }

    private func end(_ forwarder: some ServedForwarder, _ onEvent: (Event) -> Void) -> ForwarderStatus {
        tellReloads(forwarder, .max, onEvent)
        onEvent(.stopping(stopAsker ?? .program()))
        notifier.stopping()
        let status = signals.deferringStopSignals { forwarder.stop() }
        cache.serve(nil)
        // A client that asked for the end sees it by the end of its connection.
        control = nil
        metrics = nil
        return status
    }
}
