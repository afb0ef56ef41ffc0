import ApusRTP
import ApusRings
import ApusWire

/// Where the frames of the seeds go.
private let listeners = ["10.0.0.2:1235", "198.51.100.7:5006", "[2001:db8::2]:5006"].map { Endpoint($0)! }

/// A relay that gets one frame after the other. Each is accepted or refused for one reason, what is accepted
/// lies in the frame, and the figures add up.
///
/// Of each frame there are: an octet whose low bits say that the checksum is verified, that it is partial, and
/// that only the first half is at hand, and whose high bits say how many 100 ms passed; two of length; the frame.
@c(fuzz_relay)
public func fuzzRelay(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let slots = listeners.count
    var relay = Relay(slots: slots, sourcesPerStream: 2)
    let counters = RelayCounters(slots: slots)
    let plan = ForwardingPlan(
        streams: listeners.enumerated().map { slot, listen in
            .init(slot: slot, generation: 1, listen: listen, destinations: [])
        }, ownAddresses: listeners.map(\.address))
    _ = relay.adopt(ForwardingTable(plan, slots: slots), counters: counters)
    var time: UInt64 = 1_700_000_000_000_000_000
    var frames: UInt64 = 0
    var offset = 0
    while count - offset >= 3 {
        let control = unsafe start[offset]
        let length = min(unsafe Int(start[offset + 1]) << 8 | Int(start[offset + 2]), count - offset - 3)
        let frame = unsafe input(start + offset + 3, length)
        offset += 3 + length
        time &+= UInt64(control >> 3) * 100_000_000
        frames += 1
        let arrival = Relay.Arrival(
            interface: MACAddress(bits: 0x0200_0000_0002), isChecksumVerified: control & 1 != 0,
            isChecksumPartial: control & 2 != 0, time: time)
        let isHalf = control & 4 != 0
        let accepted =
            isHalf
            ? relay.accept(
                firstSegment: frame.extracting(0..<(length + 1) / 2), byteCount: length, arrival,
                counters: counters)
            : relay.accept(frame, arrival, counters: counters)
        guard let accepted else { continue }
        precondition(accepted.slot < slots && accepted.hopLimit > 0)
        let segment = isHalf ? frame.extracting(0..<(length + 1) / 2) : frame
        let headers = try? FlowHeaders(checkingFirstSegment: segment, byteCount: length)
        precondition(headers?.destination == listeners[accepted.slot])
        precondition(accepted.payloadOffset + accepted.payloadLength <= length)
        if !isHalf {
            use(frame.extracting(accepted.payloadOffset..<accepted.payloadOffset + accepted.payloadLength))
        }
    }
    var refused: UInt64 = 0
    for reason in counters.parseFailures.indices { refused += counters.parseFailures[reason].value }
    for reason in counters.drops.indices { refused += counters.drops[reason].value }
    precondition(counters.received.value == frames)
    precondition(counters.accepted.value + refused == frames)
    var packets: UInt64 = 0
    for slot in 0..<slots {
        let figures = StreamFigures(counters.streams[slot])
        packets += figures.packets
        let measured = figures.packets - figures.notRTP - figures.rtcp - figures.unmeasured
        precondition(figures.duplicates + figures.reordered <= measured)
        precondition(figures.lost < 3000 * (figures.packets + 1))
        precondition((figures.ssrc == nil) == (measured == 0))
    }
    precondition(packets == counters.accepted.value)
    return 0
}
