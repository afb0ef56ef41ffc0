import ApusBench
import CTwins
import Foundation

/// dpdk-testpmd as a child process, driven by its own command line. It sleeps while it is not started.
///
/// It takes the time itself: with `record-core-cycles` it adds up the time-stamp counter's ticks of those passes through
/// its loop that received or sent packets, the send call and its system calls with them (`get_end_cycles` in
/// app/test-pmd of 22.11: a pass that finds nothing returns before). That is what the others are timed for, but
/// without the loop around it.
package final class TestpmdProcess {
    private let child: Int32
    private var (input, output): (Int32, Int32) = (-1, -1)
    private let name: String
    private var text = ""

    /// Starts one: its commands on one core, its work on another, in normal pages and with no devices but the one.
    ///
    /// - Parameters:
    ///   - device: DPDK's string for it: `net_null0,size=64`.
    ///   - options: those behind `--`, further than that there is one core to work.
    ///   - start: calls what it is given, in the network namespace in which testpmd shall be.
    package init(
        _ device: String, _ options: String, commands: Int, work: Int,
        start: (@escaping () -> Int32) throws -> Int32 = { $0() }
    ) throws {
        name = String(device.prefix { $0 != "," })
        // Line by line, or it would keep what it has to say.
        let command = """
            exec stdbuf -oL dpdk-testpmd -l \(commands),\(work) --main-lcore=\(commands) --no-huge -m 256 --no-pci \
            --no-telemetry --no-shconf --vdev=\(device) -- -i --no-flush-rx --nb-cores=1 \(options)
            """
        var (input, output): (Int32, Int32) = (-1, -1)
        child = try start { unsafe child_start(command, &input, &output) }
        guard child > 0 else { throw BenchError("testpmd can't be started: error \(-child)") }
        (self.input, self.output) = (input, output)
        _ = try answer(to: "set record-core-cycles on", endingWith: "testpmd> set record-core-cycles on")
    }

    deinit {
        // The end of its input ends it.
        child_end(child, input, output)
    }

    /// Gives it commands, a line each, to which it has nothing to say that matters.
    package func tell(_ command: String) throws {
        let bytes = Array("\(command)\n".utf8)
        let error = unsafe child_tell(input, bytes, bytes.count)
        guard error == 0 else {
            throw BenchError(
                "testpmd on \(name) is not there any more: \(unsafe String(cString: strerror(-error)))")
        }
    }

    /// Has it end its work, and gives what that was.
    package func stop() throws -> TestpmdFigures {
        TestpmdFigures(try answer(to: "stop", endingWith: "\nDone."))
    }

    /// All that it says until that.
    private func answer(to command: String, endingWith end: String) throws -> String {
        try tell(command)
        while true {
            if let range = text.range(of: end) {
                let said = String(text[..<range.upperBound])
                text.removeSubrange(..<range.upperBound)
                return said
            }
            let data = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = unsafe max(0, read(output, buffer.baseAddress, 4096))
            }
            guard !data.isEmpty else { throw BenchError("testpmd has ended:\n\(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
    }
}

/// What testpmd says when it is stopped.
package struct TestpmdFigures: Equatable {
    /// Packets that came, and that were sent, of all ports.
    package let received, sent: Int
    /// Ticks of the time-stamp counter in the passes that moved packets.
    package let ticks: Int
    /// Its own words.
    package let text: String

    /// What those words say; 0 where they say nothing. The last of each number is that of all ports.
    package init(_ text: String) {
        func number(behind words: String) -> Int {
            guard let range = text.range(of: words, options: .backwards) else { return 0 }
            return Int(text[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }) ?? 0
        }
        (received, sent) = (number(behind: "RX-packets:"), number(behind: "TX-packets:"))
        ticks = number(behind: "(total cycles=")
        self.text = text
    }
}
