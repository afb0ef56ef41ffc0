import ApusEndHost
import ApusRings
import ApusWire
@_exported import Octets
import Testing

let second: UInt64 = 1_000_000_000

/// A host on a link of which the test is all the others, at a time that the test sets.
struct Rig: ~Copyable {
    var host: EndHost
    let counters = EndHostCounters()
    var now: UInt64 = 1000 * second

    static let mac = MACAddress("02:00:00:00:00:02")!
    static let v4 = IPv4Address("192.0.2.2")!
    static let v6 = IPv6Address("2001:db8::2")!
    static let linkLocal = IPv6Address("fe80::ff:fe00:2")!

    static var configuration: EndHostConfiguration {
        EndHostConfiguration(
            mac: mac, addresses: [AddressPrefix("192.0.2.2/24")!, AddressPrefix("2001:db8::2/64")!], seed: 7)
    }

    /// A host that has made itself known already, unless `isNew`.
    init(isNew: Bool = false, _ change: (inout EndHostConfiguration) -> Void = { _ in }) throws {
        var configuration = Self.configuration
        change(&configuration)
        host = try EndHost(configuration, at: now)
        if !isNew {
            pass(10)
            #expect(host.deadline == nil)
        }
    }

    /// Lets time pass in steps of 100 ms, and gives what the host sends meanwhile.
    @discardableResult
    mutating func pass(_ seconds: Double) -> [Frame] {
        var frames = due()
        for _ in 0..<Int(seconds * 10) {
            now += second / 10
            frames += due()
        }
        return frames
    }

    /// What the host sends now.
    @discardableResult
    mutating func due() -> [Frame] {
        var frames: [Frame] = []
        var octets = [UInt8](repeating: 0xee, count: EndHost.longestOwnFrame)
        while true {
            var count: Int?
            write(&octets) { count = host.advance(to: now, frame: &$0, counters: counters) }
            guard let count else { return frames }
            frames.append(Frame(Array(octets[..<count])))
            if frames.count > 100_000 { Issue.record("the host sends without end"); return frames }
        }
    }

    /// Gives the host a frame.
    @discardableResult
    mutating func give(_ frame: Frame, room: Int = 2048) -> Outcome {
        var octets = [UInt8](repeating: 0xee, count: room)
        var verdict = EndHostVerdict.notMine
        write(&octets) {
            verdict = host.receive(frame.octets.raw, at: now, answer: &$0, counters: counters)
        }
        switch verdict {
        case .notMine: return .notMine
        case .taken: return .taken
        case .answer(let count): return .answer(Frame(Array(octets[..<count])))
        case .path(let report): return .path(report)
        }
    }

    /// Has the host write an error.
    mutating func error(_ reason: ICMPErrorReason, about frame: Frame, room: Int = 2048) -> Frame? {
        var octets = [UInt8](repeating: 0xee, count: room)
        var count: Int?
        write(&octets) {
            count = host.error(reason, about: frame.octets.raw, at: now, answer: &$0, counters: counters)
        }
        return count.map { Frame(Array(octets[..<$0])) }
    }

    mutating func resolve(_ address: String) -> NeighborResolution {
        host.resolve(IPAddress(address)!, at: now, counters: counters)
    }

    mutating func events() -> [EndHostEvent] {
        var events: [EndHostEvent] = []
        while let event = host.nextEvent() { events.append(event) }
        return events
    }

    func state(_ address: String) -> NeighborStatus.State? { host.neighbor(IPAddress(address)!)?.state }
    func count(_ drop: EndHostDrop) -> UInt64 { counters.drops[drop.rawValue].value }
    func count(_ frame: EndHostFrame) -> UInt64 { counters.sent[frame.rawValue].value }
    func refused(_ refusal: ICMPErrorRefusal) -> UInt64 { counters.errorRefusals[refusal.rawValue].value }

    /// That nothing was lost without a name.
    func expectConserved(_ location: SourceLocation = #_sourceLocation) {
        var sum = counters.noted.value + counters.reported.value
        for frame in [EndHostFrame.arpReply, .advertisement, .echoReply, .defense] { sum += count(frame) }
        for position in counters.parseFailures.indices { sum += counters.parseFailures[position].value }
        for position in counters.drops.indices { sum += counters.drops[position].value }
        let received = counters.received.value
        #expect(received == sum, sourceLocation: location)
        var messages: UInt64 = 0
        for position in counters.messages.indices { messages += counters.messages[position].value }
        #expect(received == messages, sourceLocation: location)
        var errors = count(.error)
        for position in counters.errorRefusals.indices { errors += counters.errorRefusals[position].value }
        let asked = counters.errorsAsked.value
        #expect(asked == errors, sourceLocation: location)
    }
}

/// What a host did with a frame.
enum Outcome: Equatable {
    case notMine, taken
    case answer(Frame)
    case path(PathReport)

    var answer: Frame? {
        guard case .answer(let frame) = self else { return nil }
        return frame
    }
}

func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
func long(_ value: UInt32) -> [UInt8] { big(UInt16(value >> 16)) + big(UInt16(value & 0xffff)) }

/// The Internet checksum as RFC 1071 section 4.1 writes it down.
func checksum(_ octets: [UInt8]) -> [UInt8] {
    var sum: UInt64 = 0
    for index in stride(from: 0, to: octets.count, by: 2) {
        sum += UInt64(octets[index]) << 8 + (index + 1 < octets.count ? UInt64(octets[index + 1]) : 0)
    }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return big(~UInt16(sum))
}

extension MACAddress {
    var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * $0)) } }
}

extension IPAddress {
    var octets: [UInt8] {
        switch self {
        case .v4(let address): long(address.bits)
        case .v6(let address):
            [address.high, address.low].flatMap { half in
                (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64($0))) }
            }
        }
    }
}
