import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Testing

@testable import ApusRuntime

/// A burst goes through the relay in passes, each over all of its packets; nobody must be able to tell.
@Suite("A burst of the forwarder")
struct BurstTests {
    private static let second = Endpoint("10.1.0.2:5006")!
    private static let plain = Endpoint("10.1.0.2:5008")!

    private static func rig() throws -> RelayRig {
        var rig = try RelayRig()
        rig.order(
            [
                ForwardWorkerTests.stream([
                    RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                    RelayRig.ready("[2001:db8:2::1]:5006", from: "[2001:db8:2::2]:5004"),
                    Destination(Endpoint("10.2.0.9:1")!, path: .unreachable),
                ]),
                ForwardWorkerTests.stream(
                    [RelayRig.ready("10.2.0.1:5008", from: "10.1.0.2:5006")], listen: second, slot: 1),
                ForwardingPlan.Stream(slot: 2, generation: 1, listen: plain, isRTP: false, destinations: []),
            ], own: [.v4(IPv4Address("10.1.0.2")!)])
        return rig
    }

    private static func rtp(_ sequence: UInt16, ssrc: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 20)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        let header = RTPHeader(
            payloadType: 0, sequenceNumber: sequence, timestamp: UInt32(sequence) &* 160, ssrc: ssrc)
        try! header.encode(into: &raw)
        return bytes
    }

    /// Packets of the streams with gaps, late and twice, of several sources and none, and what is refused in between, each
    /// for a reason that another pass finds.
    private static func queue(_ number: Int, in rig: inout RelayRig) {
        let sequence = UInt16([1, 2, 4, 3, 3, 5, 9, 6, 7, 11][number % 10] + number / 10 * 12)
        switch number % 7 {
        case 0, 3: rig.queue(rtp(sequence, ssrc: 1), to: ForwardWorkerTests.listen)
        case 1: rig.queue(rtp(sequence, ssrc: UInt32(number % 2)), to: second)
        case 2: rig.queue([1, 2, UInt8(number)], to: Endpoint("10.1.0.2:9")!)
        case 4:
            rig.queue(
                [0x80, 200] + [UInt8](repeating: 0, count: 6), to: second, hopLimit: number % 3 == 0 ? 1 : 9)
        case 5:
            rig.queue(
                [7, UInt8(number)], to: number % 2 == 0 ? plain : second, checksum: number % 3 == 0 ? 1 : nil)
        default: rig.queue([5], to: second, from: Endpoint(number % 2 == 0 ? "127.0.0.1:1" : "10.1.0.2:1")!)
        }
    }

    @Test(arguments: [2, 3, 7, 31, 64])
    func `counts and sends what its packets would, were they alone`(_ size: Int) throws {
        var alone = try Self.rig()
        var together = try Self.rig()
        var (one, all): ([Arrived], [Arrived]) = ([], [])
        for number in 0..<192 {
            Self.queue(number, in: &alone)
            Self.queue(number, in: &together)
            alone.run()
            if number % size == size - 1 { together.run() }
            one += alone.arrivals()
            all += together.arrivals()
        }
        together.run()
        all += together.arrivals()
        #expect(all.map(\.payload) == one.map(\.payload) && all.count > 50)
        #expect(all.map(\.headers) == one.map(\.headers))
        #expect(together.drops == alone.drops && alone.drops.count > 5)
        for slot in 0..<3 {
            var (ours, theirs) = (
                StreamFigures(together.counters.streams[slot]), StreamFigures(alone.counters.streams[slot])
            )
            // What is measured by the clock.
            (ours.lastArrival, theirs.lastArrival, ours.jitter, theirs.jitter) = (0, 0, nil, nil)
            #expect(ours == theirs, "\(slot)")
        }
        let (first, other) = (together.isConserved(), alone.isConserved())
        #expect(first && other)
        let drained = together.isDrained()
        #expect(drained)
    }
}
