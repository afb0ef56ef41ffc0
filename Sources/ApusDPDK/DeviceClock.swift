import CDPDK
import CLinux
import Glibc

/// How the times of received packets are had, and how those of a device's clock become nanoseconds since 1970.
///
/// A device counts in a unit of its own (rte_eth_read_clock). How long that is comes out of looks at both clocks: two when the
/// device is opened, and one a second from then on, over an ever longer stretch.
struct DeviceClock: Sendable {
    /// Where the time comes from.
    enum Source: Sendable {
        /// Nobody wants to know.
        case none
        /// The host's clock, when the burst was received.
        case software
        /// The packet, in microseconds since 1970, as net_pcap has it.
        case microseconds
        /// The packet, in the unit of the device.
        case ticks
    }

    /// A look at both clocks.
    struct Look: Sendable {
        var ticks: UInt64
        var nanoseconds: UInt64
    }

    private(set) var source = Source.none
    /// Where in an mbuf the time stands, and the flag of those that have one.
    private(set) var (offset, flag): (Int, UInt64) = (0, 0)
    private var origin = Look(ticks: 0, nanoseconds: 0)
    private var last = Look(ticks: 0, nanoseconds: 0)
    private var nanosecondsPerTick = 0.0

    /// Whether the device knows the time of a packet.
    var isDevice: Bool { source == .microseconds || source == .ticks }

    /// Nobody wants to know.
    init() {}

    /// A clock of that kind; `software` where DPDK has no room for the time in its packets.
    init(_ wanted: Source) {
        source = wanted
        guard wanted == .microseconds || wanted == .ticks else { return }
        var place: Int32 = 0
        // Sound: both are written during the call.
        guard unsafe apus_port_timestamps(&place, &flag) == 0 else {
            source = .software
            return
        }
        offset = Int(place)
    }

    /// Looks at the clock of a device that has just been started, twice; `false` where it can't be read.
    mutating func begin(_ port: UInt16) -> Bool {
        guard let first = Self.look(port) else { return false }
        usleep(10_000)
        guard let second = Self.look(port), second.ticks > first.ticks else { return false }
        begin(first, second)
        return true
    }

    mutating func begin(_ first: Look, _ second: Look) {
        (origin, last) = (first, second)
        nanosecondsPerTick = Self.unit(first, second)
    }

    /// Looks again, if the last look is a second ago or the host's clock was set.
    mutating func follow(_ port: UInt16, now: UInt64) {
        guard source == .ticks, now &- last.nanoseconds > 1_000_000_000, let look = Self.look(port) else {
            return
        }
        follow(look)
    }

    mutating func follow(_ look: Look) {
        guard look.ticks > last.ticks else { return }
        // Where the clocks differ by more than quartz does, the host's was set: begun anew, with the unit as it is.
        let drift = Double(look.nanoseconds) - Double(nanoseconds(of: look.ticks))
        let isSet = abs(drift) > 0.001 * Double(look.ticks - last.ticks) * nanosecondsPerTick + 1_000_000
        if isSet { origin = look } else { nanosecondsPerTick = Self.unit(origin, look) }
        last = look
    }

    /// When that was, in nanoseconds since 1970.
    func nanoseconds(of ticks: UInt64) -> UInt64 {
        if source == .microseconds { return ticks &* 1000 }
        let since = Double(Int64(bitPattern: ticks &- last.ticks)) * nanosecondsPerTick
        return last.nanoseconds &+ UInt64(bitPattern: Int64(since))
    }

    private static func unit(_ first: Look, _ second: Look) -> Double {
        Double(second.nanoseconds &- first.nanoseconds) / Double(second.ticks - first.ticks)
    }

    private static func look(_ port: UInt16) -> Look? {
        var ticks: UInt64 = 0
        let before = apus_clock(CLOCK_REALTIME)
        // Sound: it is written during the call.
        guard unsafe apus_port_clock(port, &ticks) == 0 else { return nil }
        let after = apus_clock(CLOCK_REALTIME)
        return Look(ticks: ticks, nanoseconds: before &+ (after &- before) / 2)
    }
}
