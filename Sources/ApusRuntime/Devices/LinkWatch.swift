/// What is known of a device's link.
struct LinkReport: Equatable {
    var isUp: Bool
    /// In Mbit/s.
    var megabits: Int?
    var isFullDuplex: Bool
}

/// The link of a device, from what its driver says and what comes by it.
///
/// A driver that calls the link down while packets come is not believed until it has called it up once: net_tap asks the
/// kernel for its interface by name, and so finds none that was moved to another network namespace, as into a container.
struct LinkWatch {
    /// As it is; nil where the driver does not say.
    private(set) var report: LinkReport?
    /// How often it went up or down since it was known first.
    private(set) var changes: UInt64 = 0
    /// When it was called down, and what had been received a while later.
    private var down: (since: UInt64, received: UInt64?)?
    private var isRefuted = false

    /// How long what was received before it went down may take to be counted, in nanoseconds.
    private static let settling: UInt64 = 500_000_000

    /// Notes what the driver says now, and how many packets it has received so far.
    ///
    /// - Returns: whether it went up, or down, or is down at the first look.
    mutating func note(_ said: LinkReport?, received: UInt64, at now: UInt64) -> Bool {
        let before = report?.isUp
        report = said
        guard let said else { return false }
        if said.isUp {
            (down, isRefuted) = (nil, false)
        } else if let (since, base) = down {
            if let base { isRefuted = isRefuted || received > base }
            if base == nil, now &- since >= Self.settling { down = (since, received) }
        } else {
            down = (now, nil)
        }
        if isRefuted { report?.isUp = true }
        let isUp = said.isUp || isRefuted
        guard let before else { return !isUp }
        if before != isUp { changes += 1 }
        return before != isUp
    }
}

extension LinkReport {
    /// What a log says of it: `10 Gbit/s, full duplex`; empty where nothing is known.
    var details: String {
        guard let megabits else { return "" }
        let speed =
            megabits % 1000 == 0 ? "\(megabits / 1000) Gbit/s" : "\(megabits) Mbit/s"
        return "\(speed), \(isFullDuplex ? "full" : "half") duplex"
    }
}
