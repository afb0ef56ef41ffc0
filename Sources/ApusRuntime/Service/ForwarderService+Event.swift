public import ApusConfig
import Glibc

extension ForwarderService {
    /// Something that happened, for a log.
    public enum Event: Sendable, CustomStringConvertible {
        /// Packets flow.
        case ready
        /// The configuration is being read again.
        case reloading(Asker)
        /// It was read so many times more within a second; what comes next is what came of the last time.
        case reloadedMore(count: Int, Asker)
        /// It is in force.
        case reloaded(ForwarderConfiguration)
        /// It is not, and the one before goes on.
        case reloadFailed(String)
        /// An interface went or came back.
        case interface(InterfaceNews)
        /// Something did not work, and the forwarder goes on; told once in ten seconds.
        case trouble(String)
        /// Something in the configuration is legal, and may not be what was meant on this host.
        case warning(ConfigurationError)
        /// It ends.
        case stopping(Asker)

        /// A line for a log, or several where a configuration has several errors.
        public var description: String {
            switch self {
            case .ready: "ready"
            case .reloading(let asker): "reading the configuration again, asked by \(asker)"
            case .reloadedMore(let count, let asker):
                "the configuration was read \(count) time\(count == 1 ? "" : "s") more within a second, "
                    + "the last one asked by \(asker)"
            case .reloaded(let configuration):
                "the configuration is in force: \(configuration.streams.count) "
                    + "stream\(configuration.streams.count == 1 ? "" : "s")"
            case .reloadFailed(let reason): "the configuration stays as it was: \(reason)"
            case .interface(let news): "\(news)"
            case .trouble(let text): text
            case .warning(let warning): "\(warning)"
            case .stopping(.program(let reason?)): "stopping: \(reason)"
            case .stopping(let asker): "stopping, asked by \(asker)"
            }
        }
    }

    /// Who asked for a reload or the end.
    public enum Asker: Sendable, Equatable, CustomStringConvertible {
        /// A signal, by its number.
        case signal(Int32)
        /// A client of the control socket; the process is 0 if the kernel did not tell.
        case control(process: Int32, user: UInt32)
        /// The program itself, for a reason of its own; see ``ForwarderService/stop(because:)``.
        case program(reason: String? = nil)

        /// The name of the signal, or the process.
        public var description: String {
            switch self {
            case .signal(SIGHUP): "SIGHUP"
            case .signal(SIGINT): "SIGINT"
            case .signal(SIGTERM): "SIGTERM"
            case .signal(let number): "signal \(number)"
            case .control(let process, let user): "process \(process) of user \(user)"
            case .program: "the program"
            }
        }
    }
}

/// When a service has to do something next.
struct Schedule {
    private static let tickInterval: UInt64 = 100_000_000
    private var tick: UInt64
    private var statistics: (next: UInt64, interval: UInt64)?
    private var watchdog: (next: UInt64, interval: UInt64)?

    /// What is due.
    struct Due {
        /// The forwarder's and the clients' time limits.
        var tick = false
        var statistics = false
        var watchdog = false
    }

    init(statistics interval: Duration?, watchdog: UInt64?) {
        let now = Clock.monotonic
        tick = now
        statistics = interval.map { interval in
            let parts = interval.components
            let nanoseconds =
                UInt64(max(0, parts.seconds)) &* 1_000_000_000
                &+ UInt64(
                    max(0, parts.attoseconds) / 1_000_000_000)
            return (now &+ nanoseconds, max(1_000_000, nanoseconds))
        }
        self.watchdog = watchdog.map { (now, $0) }
    }

    /// The time of the monotonic clock when something is due.
    var next: UInt64 { min(tick, statistics?.next ?? .max, watchdog?.next ?? .max) }

    /// What is due now; it is due again after its interval.
    mutating func take() -> Due {
        let now = Clock.monotonic
        var due = Due()
        if tick <= now {
            due.tick = true
            tick = now &+ Self.tickInterval
        }
        due.statistics = Self.take(&statistics, now)
        due.watchdog = Self.take(&watchdog, now)
        return due
    }

    /// Keeps to its beat; beats that were missed altogether are left out.
    private static func take(_ beat: inout (next: UInt64, interval: UInt64)?, _ now: UInt64) -> Bool {
        guard let (next, interval) = beat, next <= now else { return false }
        beat = (next &+ ((now &- next) / interval &+ 1) &* interval, interval)
        return true
    }
}
