import Synchronization

/// What DPDK logs, on any thread: lines go to a handler, by default to none, and those of a call that fails into its error.
public enum EALLog {
    /// How much a line matters, as DPDK says it.
    public enum Level: Int32, Sendable, Comparable {
        /// The system is unusable.
        case emergency = 1
        /// Something has to be done at once.
        case alert
        /// A critical condition.
        case critical
        /// An error.
        case error
        /// A warning.
        case warning
        /// Normal, but worth a line.
        case notice
        /// For information.
        case information
        /// For who looks for a fault in DPDK.
        case debug

        /// Whether it matters more.
        public static func < (one: Level, other: Level) -> Bool { one.rawValue < other.rawValue }
    }

    private struct State {
        var handler: (@Sendable (Level, String) -> Void)?
        var collected: [String] = []
        var isCollecting = false
    }

    private static let state = Mutex(State())

    /// Has each line given to `handler`, on the thread that logs it; `nil` ends that. The handler must not call DPDK.
    public static func handle(_ handler: (@Sendable (Level, String) -> Void)?) {
        state.withLock { $0.handler = handler }
    }

    static func take(level: Int32, _ line: String) {
        let level = Level(rawValue: level) ?? .information
        let handler = state.withLock { state in
            if state.isCollecting, level <= .warning, state.collected.count < 16 {
                state.collected.append(line)
            }
            return state.handler
        }
        handler?(level, line)
    }

    /// Calls `body` and gives the warnings and errors that DPDK logs meanwhile, at most 16, beside its result.
    static func collecting<Result>(_ body: () -> Result) -> (result: Result, log: [String]) {
        state.withLock { ($0.isCollecting, $0.collected) = (true, []) }
        let result = body()
        return (
            result,
            state.withLock { state in
                state.isCollecting = false
                return state.collected
            }
        )
    }
}
