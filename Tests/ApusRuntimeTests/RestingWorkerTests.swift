import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Testing

@testable import ApusRuntime

@Suite("A worker that is about to rest")
struct RestingWorkerTests {
    /// More than any machine needs, however busy it is: how fast these packets are taken is not what is tested.
    private static let longEnough: UInt64 = 10_000_000_000

    @Test func `It takes what an interface that is gone has left, and nothing of a flood by others`() throws {
        var rig = try RelayRig()
        rig.order([
            ForwardWorkerTests.stream([
                RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                RelayRig.ready("10.2.0.2:5006", from: "10.1.0.2:5004"),
            ])
        ])
        for number in 0..<40 { rig.queue([UInt8(number)], to: ForwardWorkerTests.listen) }
        // The other one is gone, or none.
        for interface in [1, -1] {
            rig.worker.drain(interface, rig.counters, for: Self.longEnough)
            #expect(rig.counters.received.value == 0)
        }
        rig.worker.drain(0, rig.counters, for: Self.longEnough)
        #expect(rig.counters.received.value == 40 && rig.counters.sent.value == 80)
        let (arrived, conserved) = (rig.arrivals().count, rig.isConserved())
        #expect(arrived == 80 && conserved)
    }

    @Test func `It ends in time while packets go on coming in`() throws {
        var rig = try RelayRig()
        rig.order([ForwardWorkerTests.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        for number in 0..<100 { rig.queue([UInt8(number)], to: ForwardWorkerTests.listen) }
        // No time is left: what is there stays.
        rig.worker.drain(0, rig.counters, for: 0)
        #expect(rig.counters.received.value == 0)
        rig.worker.drain(0, rig.counters, for: Self.longEnough)
        #expect(rig.counters.received.value == 100)
    }
}
