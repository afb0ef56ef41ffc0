import Foundation
import Testing

@testable import ApusBench

@Suite("The load")
struct LoadTests {
    /// As testpmd and the relays are while a report is made.
    @Test func `What a child does that still runs, and what its own child does, is not others' load`() throws
    {
        let (child, input, output) = (Process(), Pipe(), Pipe())
        child.executableURL = URL(filePath: "/bin/sh")
        let work = "i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done"
        child.arguments = ["-c", "\(work); sh -c '\(work); echo done; read x'; true"]
        (child.standardInput, child.standardOutput) = (input, output)
        func before() -> Double {
            LoadWatch.own - Double(clock()) / Double(CLOCKS_PER_SEC) * Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        let start = before()
        try child.run()
        _ = output.fileHandleForReading.readData(ofLength: 5)
        let living = before() - start
        try input.fileHandleForWriting.close()
        child.waitUntilExit()
        let ended = before() - start
        // Each of the two takes a tenth of a second at the very least, and other tests' children may come and go.
        #expect(
            living > 20 && ended >= living - 5, "\(living) ticks while it runs, \(ended) when it has ended")
    }
}
