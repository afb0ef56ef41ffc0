import Glibc
import NetworkLab
import Testing

extension Lab {
    /// The end of a forwarder whose user is in a hurry.
    @Suite(.requires(.root))
    struct StopTests {
        /// A double Ctrl-C, or timeout(1), which signals its child and then the whole group.
        @Test(arguments: [Backend.native, .generic])
        func `two signals at once take the program off, and end it with a summary`(backend: Backend) throws {
            let scene = try Scene("twice")
            let before = try KillTests.traces(in: scene.relay)
            for (number, gap) in [0, 1, 2, 3, 5, 8, 13, 21, 34, 58].enumerated() {
                let process = try scene.relay.start(
                    [ApusProgram.path, "forward"] + backend.options
                        + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
                try process.waitForLine(containing: "ready", timeout: .seconds(20))
                process.send(number.isMultiple(of: 2) ? SIGINT : SIGTERM)
                usleep(UInt32(gap * 1000))
                process.send(number.isMultiple(of: 3) ? SIGTERM : SIGINT)
                let ended = process.waitForExit(within: .seconds(10))
                #expect(ended == .exited(0), "\(gap) ms: \(process.errors)")
                #expect(process.errors.contains("received 0 packets"), "\(gap) ms: \(process.errors)")
                #expect(try KillTests.traces(in: scene.relay) == before, "\(gap) ms")
            }
        }
    }
}
