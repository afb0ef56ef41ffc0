import ApusConfig

/// What a service needs of a forwarder.
protocol ServedForwarder: AnyObject {
    var descriptor: Int32 { get }
    func attend() throws(ForwarderError)
    func reload(_ new: ForwarderConfiguration) throws(ForwarderError)
    func status() -> ForwarderStatus
    func stop() -> ForwarderStatus
}

extension Forwarder: ServedForwarder {}

/// The figures for whoever asks, counted together at most ten times a second: asking often costs little.
final class StatusCache {
    private var forwarder: (any ServedForwarder)?
    private var latest = ForwarderStatus()
    private var time: UInt64 = 0

    /// From now on the figures are those of `forwarder`.
    func serve(_ forwarder: (any ServedForwarder)?) {
        self.forwarder = forwarder
        time = 0
    }

    /// The figures, at most 100 ms old.
    var status: ForwarderStatus {
        let now = Clock.monotonic
        if let forwarder, time == 0 || now &- time >= 100_000_000 {
            (latest, time) = (forwarder.status(), now)
        }
        return latest
    }
}
