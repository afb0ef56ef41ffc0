import Foundation
import Testing
import TestpmdChild

@Suite struct TestpmdProcessTests {
    static let isInstalled = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/dpdk-testpmd")
        }
    static let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    /// One on a device that gives packets without end, and what it did in a moment.
    @Test(.enabled(if: isInstalled && cores > 1, "it takes dpdk-testpmd and two cores"))
    func itForwardsWhileItIsStarted() throws {
        let process = try TestpmdProcess(
            "net_null0,size=64", "--burst=32 --port-topology=loop --total-num-mbufs=4096", commands: 0,
            work: 1)
        for mode in ["io", "macswap"] {
            try process.tell("set fwd \(mode)\nstart")
            usleep(1_000)
            var done = try process.stop()
            // Where its core did something else for as long.
            for milliseconds in [10, 100, 1000] as [UInt32] where done.received == 0 {
                try process.tell("start")
                usleep(milliseconds * 1000)
                done = try process.stop()
            }
            #expect(done.received > 0 && done.received % 32 == 0 && done.sent == done.received)
            #expect(done.ticks > 0)
        }
    }

    @Test(.enabled(if: isInstalled && cores > 1, "it takes dpdk-testpmd and two cores"))
    func oneThatHasEndedSaysWhatItSaid() {
        let error = #expect(throws: (any Error).self) {
            try TestpmdProcess("net_nothing0", "", commands: 0, work: 1)
        }
        #expect("\(error!)".contains("testpmd has ended") && "\(error!)".contains("net_nothing0"))
    }
}
