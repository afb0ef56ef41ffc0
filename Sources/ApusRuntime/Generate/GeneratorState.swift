import ApusPorts
import ApusRings
import ApusWire
import Glibc

/// All of a generator that does not depend on the driver: what comes next, and when.
@safe
@frozen
@usableFromInline
struct GeneratorState: ~Copyable, @unchecked Sendable {
    // Sendable: nothing else leads to the payload, which is constant once it is made.
    let traffic: GeneratedTraffic
    private let limit: UInt64
    private var schedule: GeneratorSchedule
    private var ticks: GeneratorTicks
    private var flows: FixedArray<GeneratorFlow>
    private var turn = 0
    /// The payload that all packets share, in memory of its own: an Array would be counted on the data path.
    private let payload: UnsafeMutableRawBufferPointer

    /// Packets made: those that the port has taken, and those that wait in the burst.
    private var made: UInt64 = 0
    /// Packets that the port has taken.
    private(set) var taken: UInt64 = 0
    /// The clock at the first packet; 0 before.
    private var started: UInt64 = 0
    /// The clock when the last packet was taken.
    private var ended: UInt64 = 0
    /// The clock when the time is over.
    private var end = UInt64.max
    /// Whether it ends now, whatever is left.
    @usableFromInline private(set) var isStopped = false

    init(_ traffic: GeneratedTraffic, headers: UDPEncapsulation) {
        precondition(
            traffic.payloadSize >= traffic.minimumPayloadSize, "the payload has no room for its header")
        precondition(traffic.flows >= 1 && Int(headers.sourcePort) + traffic.flows - 1 <= UInt16.max)
        precondition(traffic.rate != 0, "a rate is 1 packet a second or more")
        self.traffic = traffic
        limit = traffic.packetLimit
        schedule = GeneratorSchedule(rate: traffic.rate, start: 0)
        // A pattern in which a lost or doubled octet shows, behind the number or header that changes.
        let changing = max(8, traffic.minimumPayloadSize)
        let content = (0..<traffic.payloadSize).map { $0 < changing ? 0 : UInt8(truncatingIfNeeded: $0) }
        unsafe payload = .allocate(byteCount: content.count, alignment: 16)
        unsafe payload.copyBytes(from: content)
        var clock: UInt32 = 0
        if case .rtp(_, _, let rate) = traffic.content { clock = rate }
        ticks = GeneratorTicks(clockRate: clock, flows: traffic.flows, rate: traffic.rate)
        flows = FixedArray(count: traffic.flows) { number in
            var own = headers
            own.sourcePort &+= UInt16(number)
            guard case .rtp(let type, let ssrc, _) = traffic.content else {
                return GeneratorFlow(own, rtp: nil, payload: content)
            }
            return GeneratorFlow(own, rtp: (type, ssrc &+ UInt32(number)), payload: content)
        }
    }

    @usableFromInline deinit { unsafe payload.deallocate() }
}

extension GeneratorState {
    /// Whether nothing more will be made.
    @usableFromInline var isComplete: Bool { isStopped || made >= limit }

    /// Nothing more is made from now on.
    @usableFromInline
    mutating func stop() { isStopped = true }

    /// How many packets to make now, at most 64.
    @usableFromInline
    mutating func due(at now: UInt64) -> Int {
        if started == 0 {
            started = now
            schedule = GeneratorSchedule(rate: traffic.rate, start: now)
            if let duration = traffic.duration {
                // What is due before the end may be a little late.
                let grace = traffic.rate == nil ? 0 : min(duration / 10, GeneratedTraffic.second / 10)
                let (sum, overflow) = now.addingReportingOverflow(duration &+ grace)
                end = overflow ? .max : sum
            }
        }
        if now >= end { isStopped = true }
        guard !isComplete else { return 0 }
        ticks.advance(to: now - started)
        let due = min(schedule.due(at: now, made: made), limit - made)
        return Int(min(due, UInt64(Burst.capacity)))
    }

    /// Makes an empty packet the next one of the flow whose turn it is.
    @usableFromInline
    mutating func write(_ packet: inout Packet) -> Bool {
        // Sound: the buffer lives as long as this value, and nothing writes to it.
        let bytes = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(payload))
        guard flows[turn].write(&packet, payload: bytes, ticks: ticks) else { return false }
        turn &+= 1
        if turn == flows.count { turn = 0 }
        made &+= 1
        return true
    }

    /// The port has taken packets, or discarded them under a name of its own.
    @usableFromInline
    mutating func took(_ count: Int, at now: UInt64) {
        guard count > 0 else { return }
        taken &+= UInt64(count)
        ended = now
    }

    /// Waits until the next packet is due or `deadline` is there, whichever comes first.
    @usableFromInline
    func wait(until deadline: UInt64, now: UInt64) {
        GeneratorSchedule.wait(until: min(schedule.moment(of: made), deadline, end), now: now)
    }

    /// Nanoseconds that the traffic took: to the moment at which the packet after the last would be due.
    var elapsed: UInt64 {
        guard started > 0, ended >= started else { return 0 }
        let planned =
            traffic.rate.map { GeneratedTraffic.scaled(taken, GeneratedTraffic.second, by: $0) } ?? 0
        return max(ended - started, planned)
    }

    /// Nanoseconds since the first packet; 0 before it.
    func running(at now: UInt64) -> UInt64 { started == 0 ? 0 : now - started }
}
