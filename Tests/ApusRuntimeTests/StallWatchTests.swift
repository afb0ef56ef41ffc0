import ApusConfig
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("Workers that come round late")
struct StallWatchTests {
    @Test func `A stall is noticed once, however long it lasts, and the next one again`() {
        var watch = StallWatch(IdlePolicy(spin: 0, sleep: 10))
        let second: UInt64 = 1_000_000_000
        // The last but one: it is back, and was round after the look began.
        let looks: [(beat: UInt64, now: UInt64)] = [
            (0, 50 * second), (second, second + 110_000_000), (second, second + 110_000_001),
            (second, 9 * second), (9 * second, 9 * second - 5), (9 * second, 10 * second),
        ]
        let noticed = looks.map { watch.look(at: $0.beat, $0.now) }
        #expect(noticed == [false, false, true, false, false, true])
        #expect(watch.stalls == 2)
    }

    @Test(.requires(.root), .timeLimit(.minutes(1)))
    func `Stalls of a forwarder's workers are counted in its status and told once`() throws {
        let line = try ForwarderNetworkTests.Line("stall")
        defer { line.lab.close() }
        try line.relay.enter {
            var configuration = ForwarderNetworkTests.configuration(
                .packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"])
            (configuration.workers.spin, configuration.workers.sleep) = (0, 1_000_000)
            let forwarder = try Forwarder(configuration)
            try ForwarderNetworkTests.attend(forwarder) { forwarder.crew.members[0].board.beat.value != 0 }
            // One second of sleep may pass; it is taken for a stall from here on.
            forwarder.crew.members[0].watch.limit = 300_000_000
            var told: [WorkerStall] = []
            try ForwarderNetworkTests.attend(forwarder) {
                told += forwarder.takeStalls()
                return forwarder.status().stalls > 0
            }
            told += forwarder.takeStalls()
            let first = try #require(told.first)
            #expect(told.count == Int(forwarder.status().stalls) && first.worker == 0)
            #expect("\(first)".hasPrefix("worker 0 has not come round for 300 ms"))
        }
    }
}
