public import ApusPorts
import ApusRings
public import ApusWire
import CLinux

/// Makes packets and sends them by any port, at a rate or flat out.
///
/// ```swift
/// var generator = Generator(traffic, headers: headers)
/// while !generator.isFinished { generator.run(on: &port, milliseconds: 100) }
/// let report = generator.finish(on: &port)
/// ```
///
/// Data path: each packet costs a frame, its headers and a copy of the payload; no heap, and no system call
/// but the driver's own and the sleep until the next packet is due. Bursts have at most 64 packets.
public struct Generator: ~Copyable {
    @usableFromInline var state: GeneratorState
    @usableFromInline var burst = Burst()
    /// Whether a packet did not fit the port's frames.
    @usableFromInline var isTooLong = false

    /// A generator for one destination.
    ///
    /// - Parameters:
    ///   - traffic: what to send.
    ///   - headers: those of the first flow; the others have the source ports that follow.
    /// - Precondition: the payload has room for the content's header, there is at least one flow, the ports
    ///   of all of them exist, and a rate is not 0.
    public init(_ traffic: GeneratedTraffic, headers: UDPEncapsulation) {
        state = GeneratorState(traffic, headers: headers)
    }

    /// What it sends.
    public var traffic: GeneratedTraffic { state.traffic }

    /// Packets that the port has taken so far.
    public var taken: UInt64 { state.taken }

    /// Nanoseconds since the first packet; 0 before it.
    public var running: UInt64 { state.running(at: Clock.monotonic) }

    /// Whether the port took all that was to be made, or ``stop()`` was called, or the time is over.
    @inlinable
    public var isFinished: Bool { state.isStopped || (state.isComplete && burst.isEmpty) }

    /// Ends it: what the port has not taken yet is not sent.
    public mutating func stop() { state.stop() }

    /// Sends for so long, or until it has finished.
    ///
    /// Packets longer than the port's frames end it; ``GeneratorReport/isTooLong`` tells.
    @inlinable
    public mutating func run<Driver: PortDriver & ~Copyable>(
        on port: inout Port<Driver>, milliseconds: UInt64
    ) {
        var now = Self.clock()
        let deadline = now &+ milliseconds &* 1_000_000
        while now < deadline, !isFinished {
            let due = state.due(at: now)
            if burst.isEmpty, due > 0 { fill(from: &port, due) }
            let hasNothing = burst.isEmpty
            state.took(port.transmit(&burst), at: now)
            port.flush()
            if hasNothing { state.wait(until: deadline, now: now) }
            now = Self.clock()
        }
    }

    /// Sees to it that what was taken leaves, for a second at most, and says what came of it all. What the kernel has not
    /// taken by then is ``PortStatistics/pending``, and lost if the port is closed.
    public mutating func finish<Driver: PortDriver & ~Copyable>(
        on port: inout Port<Driver>
    ) -> GeneratorReport {
        stop()
        burst.removeAll()
        var statistics = port.statistics()
        let deadline = Clock.monotonic &+ GeneratedTraffic.second
        repeat {
            port.flush()
            statistics = port.statistics()
            if statistics.sent &+ statistics.drops.total >= state.taken { break }
            GeneratorSchedule.wait(until: Clock.monotonic &+ 100_000, now: Clock.monotonic)
        } while Clock.monotonic < deadline
        return GeneratorReport(
            taken: state.taken, nanoseconds: state.elapsed, rate: state.traffic.rate, statistics: statistics,
            isTooLong: isTooLong)
    }

    /// Fills the burst with packets of the port's own, as far as it has free frames.
    @inlinable
    mutating func fill<Driver: PortDriver & ~Copyable>(from port: inout Port<Driver>, _ count: Int) {
        var left = count
        while left > 0, var packet = port.makePacket() {
            guard state.write(&packet) else {
                isTooLong = true
                state.stop()
                break
            }
            burst.append(packet)
            left &-= 1
        }
    }

    @usableFromInline
    static func clock() -> UInt64 { Clock.monotonic }
}

/// What came of a generator's run.
public struct GeneratorReport: Sendable, Equatable {
    /// Packets that the port took.
    public let taken: UInt64
    /// How long it took, in nanoseconds.
    public let nanoseconds: UInt64
    /// Packets a second that were wanted; `nil` for as many as possible.
    public let rate: UInt64?
    /// The port's counters: `sent` of those it took have left, `pending` have not within a second, and the others are
    /// among its drops.
    public let statistics: PortStatistics
    /// Whether it ended because a packet does not fit the port's frames.
    public let isTooLong: Bool

    /// How long it took, in seconds.
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    /// Packets a second that have left; 0 where there was no time.
    public var reachedRate: Double { nanoseconds > 0 ? Double(statistics.sent) / seconds : 0 }

    /// Bits a second, link-layer headers included; 0 where there was no time.
    public var bitRate: Double { nanoseconds > 0 ? 8 * Double(statistics.sentBytes) / seconds : 0 }
}
