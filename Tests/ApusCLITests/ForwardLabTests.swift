import Foundation
import NetworkLab
import Testing

/// What `apus forward` says when it starts, is told to reload, and loses its terminal.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ForwardLabTests {
    private static let stream = ["--listen", "192.0.2.2:5004", "--to", "192.0.2.1:5006"]

    @Test(
        .requires(.root),
        arguments: [("xdp", "vb: xdp, native, copy, 2 queues\n"), ("packet", "vb: packet, copy, ")])
    func `it says in a short line what each interface was granted`(backend: String, line: String) throws {
        let net = try Pair("forward-grant", queues: 2)
        defer { net.close() }
        let running = try net.b.start([apusPath, "forward"] + Self.stream + ["--backend", backend])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        #expect(running.stop(SIGTERM) == .exited(0))
        #expect(running.errors.hasPrefix(line), "\(running.errors)")
        #expect(running.errors.split(separator: "\n").filter { $0.hasPrefix("vb: ") }.count == 1)
    }

    @Test(.requires(.root)) func `a configuration from standard input runs, and is not read again`() throws {
        let net = try Pair("forward-input")
        defer { net.close() }
        let text = #"{ streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:5006"] }] }"#
        let running = try net.b.start([apusPath, "forward", "--config", "-"], input: text)
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        running.send(SIGHUP)
        try running.waitForLine(
            containing:
                "the configuration stays as it was: standard input can't be read again; keep the configuration",
            timeout: .seconds(10))
        #expect(running.stop(SIGTERM) == .exited(0))
    }

    @Test(.requires(.root, .program("python3")), arguments: [(false, "goes on"), (true, "ended with 69")])
    func `a terminal that hangs up ends it only where it shows figures there`(stats: Bool, expected: String)
        throws
    {
        let net = try Pair("forward-hangup")
        defer { net.close() }
        let program = """
            import os, pty, signal, sys, time
            pid, terminal = pty.fork()
            if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
            shows = "--stats" in sys.argv
            text = b""
            while b"ready" not in text or shows and b"packets/s" not in text: text += os.read(terminal, 4096)
            os.close(terminal)
            for _ in range(60 if shows else 10):
                time.sleep(0.1)
                done, status = os.waitpid(pid, os.WNOHANG)
                if done: break
            print("ended with %d" % os.waitstatus_to_exitcode(status) if done else "goes on")
            if not done:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
            """
        var words = ["python3", "-c", program, apusPath, "forward"] + Self.stream + ["--backend", "packet"]
        if stats { words.append("--stats") }
        let running = try net.b.start(words)
        #expect(running.waitForExit(within: .seconds(30)) == .exited(0), "\(running.errors)")
        #expect(running.output == expected + "\n", "\(running.errors)")
    }
}
