import Foundation
import NetworkLab
import Testing

/// What `apus control` ends with, whatever becomes of the forwarder.
@Suite(.requires(.root, .program("setpriv")), .timeLimit(.minutes(3)))
struct ControlLabTests {
    /// A forwarder with a file and a control socket, in a folder of its own.
    private final class Served {
        let net: Pair
        let folder: String
        let running: Running

        var socket: String { folder + "/control.sock" }
        var file: String { folder + "/forward.json5" }
        var text: String {
            """
            { defaults: { backend: "packet" },
              streams: [{ name: "one", listen: "192.0.2.2:5004", to: ["192.0.2.1:5006"] }],
              control: { socket: "\(socket)" } }
            """
        }

        init(_ purpose: String, prefix: [String] = []) throws {
            net = try Pair(purpose)
            folder = FileManager.default.temporaryDirectory.path + "/apus-control-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let file = folder + "/forward.json5"
            let socket = folder + "/control.sock"
            try """
            { defaults: { backend: "packet" },
              streams: [{ name: "one", listen: "192.0.2.2:5004", to: ["192.0.2.1:5006"] }],
              control: { socket: "\(socket)" } }
            """.write(toFile: file, atomically: true, encoding: .utf8)
            running = try net.b.start(prefix + [apusPath, "forward", "--config", file])
            try running.waitForLine(containing: "ready", timeout: .seconds(30))
        }

        func write(_ text: String) throws { try text.write(toFile: file, atomically: true, encoding: .utf8) }

        func control(_ words: String...) throws -> LabRun {
            try runApus(in: net.b, ["control", socket] + words)
        }

        deinit {
            running.kill()
            net.close()
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    @Test func `a reload that is refused ends with the code that a start would`() throws {
        // Root by its number, who may not read what others have closed to it.
        let served = try Served(
            "codes", prefix: ["setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw"])
        for text in [
            "{ streams: [{ lisen: 7 }] }", "", served.text.replacing("192.0.2.1:", with: "192.0.2.2:"),
        ] {
            try served.write(text)
            let run = try served.control("reload")
            #expect(run.code == .exited(78) && run.errors.contains("\(served.file):"), "\(run)")
            let json = try served.control("reload", "--json")
            #expect(json.code == .exited(78))
            #expect(try object(json.output)["kind"] as? String == "configuration", "\(json)")
        }
        try served.write(served.text.replacing("\"packet\"", with: "\"packet\", ringSize: 512"))
        #expect(try served.control("reload").code == .exited(69))
        try served.write(served.text)
        unsafe chmod(served.file, 0)
        #expect(try served.control("reload").code == .exited(77))
        try FileManager.default.removeItem(atPath: served.file)
        #expect(try served.control("reload").code == .exited(66))
        try served.write(served.text)
        #expect(try served.control("reload").code == .exited(0))
    }

    @Test func `help is what the forwarder can be asked`() throws {
        let served = try Served("orders")
        let run = try served.control("help")
        #expect(run.code == .exited(0))
        #expect(
            run.output == """
                status  the figures so far
                reload  read the configuration again
                stop    end with a summary
                help    this list

                """)
        #expect(try object(try served.control("help", "--json").output)["ok"] as? Bool == true)
    }

    @Test func `a forwarder that is stopped is not waited for without end`() throws {
        let served = try Served("stopped")
        served.running.send(SIGSTOP)
        defer { served.running.send(SIGCONT) }
        let start = ContinuousClock.now
        let asked = try served.net.b.start([apusPath, "control", served.socket, "status"])
        #expect(asked.waitForExit(within: .seconds(20)) == .exited(69))
        #expect(ContinuousClock.now - start >= .seconds(4))
        let pid = served.running.pid
        // A path so long is shown cut.
        #expect(
            asked.errors.hasPrefix("apus control: the forwarder at \"\(served.folder)")
                && asked.errors.hasSuffix(
                    " does not answer\nSee whether process \(pid) is stopped or hangs: ps -o stat=,wchan= -p \(pid)\n"
                ),
            "\(asked.errors)")
        asked.kill()
    }
}
