import CSystemd
import Glibc

/// Tells the service manager how the service does (sd_notify(3)). Says nothing where nobody asked, which is
/// where NOTIFY_SOCKET is not set.
struct ServiceNotifier {
    /// How often the watchdog wants to be told that the service is alive, in nanoseconds: half of what the
    /// manager allows; nil without a watchdog.
    let watchdogInterval: UInt64?

    /// Reads what the manager asks for from the environment (sd_watchdog_enabled(3)).
    init() {
        var microseconds: UInt64 = 0
        // Sound: the number is written before the call returns.
        let asked = unsafe sd_watchdog_enabled(0, &microseconds)
        watchdogInterval = asked > 0 ? max(1, microseconds / 2) &* 1000 : nil
    }

    /// The service works, or works again after a reload.
    func ready(_ text: String) { send(["READY=1", status(text)]) }

    /// The configuration is being read again.
    func reloading() {
        // The manager tells this reload from an earlier one by the time (sd_notify(3), RELOADING=1).
        send(["RELOADING=1", "MONOTONIC_USEC=\(Clock.monotonic / 1000)"])
    }

    /// The service ends.
    func stopping() { send(["STOPPING=1", "STATUS=stopping"]) }

    /// One line that `systemctl status` shows.
    func say(_ text: String) { send([status(text)]) }

    /// The service is alive.
    func feedWatchdog() { send(["WATCHDOG=1"]) }

    /// A line break would begin another assignment.
    private func status(_ text: String) -> String {
        "STATUS=" + text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    private func send(_ lines: [String]) {
        // A manager that went away is no reason for the service to do anything else.
        _ = unsafe sd_notify(0, lines.joined(separator: "\n"))
    }
}
