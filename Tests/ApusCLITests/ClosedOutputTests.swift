import NetworkLab
import Testing

/// `apus forward` whose figures nobody reads any more: a service manager is to start it again.
@Suite(.requires(.root), .timeLimit(.minutes(3)))
struct ClosedOutputTests {
    private func run(_ words: String, into reader: String) throws -> Running {
        let net = try Pair("closed")
        defer { net.close() }
        let line = """
            '\(apusPath)' forward -b packet -l 192.0.2.2:5004 -t 192.0.2.1:5006 \(words) | \(reader)
            echo "ended ${PIPESTATUS[0]}"
            """
        let shell = try net.b.start(["bash", "-c", line])
        try shell.waitForLine(containing: "ended", timeout: .seconds(40))
        return shell
    }

    @Test(arguments: ["--stats", "--stats --json"])
    func `when the reader of the figures goes, it ends with 69 and tells what came of it`(words: String)
        throws
    {
        let shell = try run(words, into: "head -n 1")
        #expect(shell.output.contains("ended 69\n"), "\(shell.output)")
        #expect(
            shell.errors.contains("\nstopping: nobody reads the figures any more\n"), "\(shell.errors)")
        #expect(shell.errors.contains("\nreceived 0 packets"), "\(shell.errors)")
        #expect(!shell.errors.contains("asked by"), "\(shell.errors)")
    }

    @Test func `a last line that nobody reads is an error, and the summary goes to standard error`() throws {
        let net = try Pair("closedjson")
        defer { net.close() }
        let line = """
            exec 3> >(exec true); sleep 0.3
            '\(apusPath)' forward -b packet -l 192.0.2.2:5004 -t 192.0.2.1:5006 --json >&3 &
            pid=$!
            while ! ss -ulnH 2>/dev/null | grep -q 5004; do sleep 0.1; done
            sleep 1; kill -TERM $pid; wait $pid
            echo "ended $?"
            """
        let shell = try net.b.start(["bash", "-c", line])
        try shell.waitForLine(containing: "ended", timeout: .seconds(40))
        #expect(shell.output == "ended 69\n", "\(shell.output)")
        #expect(shell.errors.contains("\nreceived 0 packets"), "\(shell.errors)")
        #expect(
            shell.errors.hasSuffix(
                "apus forward: cannot write all of the output: nobody reads it any more\n"),
            "\(shell.errors)")
    }
}
