import ApusConfig
import Foundation
import NetworkLab
import Testing

/// The built `apus` as a service: in a namespace of its own, between two links, with the real signals,
/// sockets and files.
@Suite(
    "apus forward as a service", .requires(.root, .program("curl"), .file("/usr/bin/python3")),
    .timeLimit(.minutes(4)))
struct ServiceProcessTests {
    final class Service {
        let lab: NetworkLab
        let relay: Namespace
        let sender: Namespace
        let folder = Folder()
        var running: Running!

        var socket: String { folder.path + "/control.sock" }
        var file: String { folder.path + "/forward.json5" }

        init(_ name: String) throws {
            lab = NetworkLab(name)
            relay = try lab.namespace("relay")
            sender = try lab.namespace("sender")
            try lab.link(sender, "va", ["192.0.2.1/24"], relay, "vb", ["192.0.2.2/24"])
        }

        /// The apus that was built with these tests, beside the program that runs them.
        static let apus = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("apus").path

        func configure(streams: [Int], to: String = "192.0.2.1:6000", more: String = "") throws {
            let list = streams.map {
                "{ name: \"s\($0)\", listen: \"192.0.2.2:\($0)\", to: [\"\(to)\"] }"
            }
            let text = """
                { defaults: { backend: "packet" }, streams: [\(list.joined(separator: ","))],
                  control: { socket: "\(socket)" }, metrics: { listen: "127.0.0.1:9469" } \(more) }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        }

        func start(_ words: [String] = [], environment: [String: String] = [:]) throws {
            running = try relay.start(
                [Self.apus, "forward", "--config", file] + words, environment: environment)
            try running.waitForLine(containing: "ready")
        }

        func control(_ word: String) throws -> String {
            try relay.run(Self.apus, "control", socket, word, "--json").standardOutput
        }

        /// Sends datagrams from one socket, a millisecond apart.
        func send(_ count: Int, to port: Int) throws {
            try sender.run(
                "/usr/bin/python3", "-c",
                "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
                    + "for i in range(\(count)): s.sendto(b'x'*100,('192.0.2.2',\(port))); time.sleep(0.001)")
        }

        /// Waits until the forwarder has sent that many packets in all: the first ones wait for their next hop.
        func waitFor(_ packets: Int) throws {
            for _ in 0..<100 {
                if try control("status").contains("\"sent\":\(packets),\"sentBytes\"") { return }
                usleep(20_000)
            }
        }

        deinit { lab.close() }
    }

    @Test("SIGTERM and SIGINT end it with a summary and exit code 0, and its socket is gone")
    func stopSignals() throws {
        for signal in [SIGTERM, SIGINT] {
            let service = try Service("stop")
            try service.configure(streams: [5004])
            try service.start()
            try service.send(10, to: 5004)
            try service.waitFor(10)
            #expect(service.running.stop(signal) == .exited(0))
            #expect(service.running.errors.contains("stream s5004: received 10, sent 10"))
            #expect(
                service.running.errors.contains(
                    "stopping, asked by \(signal == SIGINT ? "SIGINT" : "SIGTERM")"))
            #expect(unsafe access(service.socket, F_OK) != 0)
        }
    }

    @Test("whenever it is stopped, what it has received was sent or is dropped under a name")
    func stopsAtAnyMoment() throws {
        let service = try Service("anymoment")
        for (number, moment) in [0, 1, 3, 10, 30, 100, 400].enumerated() {
            // Nobody has the address of every second one: its packets wait for it when the end comes.
            try service.configure(streams: [5004], to: "192.0.2.\(number % 2 == 0 ? 77 : 1):6000")
            try service.relay.run("ip", "neighbor", "flush", "dev", "vb")
            try service.start()
            let sender = try service.sender.start([
                "/usr/bin/python3", "-c",
                "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nprint('sends',flush=True)\n"
                    + "for i in range(2000): s.sendto(b'x'*100,('192.0.2.2',5004)); time.sleep(0.0005)",
            ])
            try sender.waitForLine(containing: "sends")
            // At the last of these moments some packets have come, however long that takes.
            if moment == 400 {
                try eventually("packets come") { try !service.control("status").contains("\"received\":0,") }
            }
            usleep(UInt32(moment * 1000))
            #expect(service.running.stop() == .exited(0))
            let summary = service.running.errors
            func figure(_ pattern: Regex<(Substring, Substring)>) -> Int? {
                summary.firstMatch(of: pattern).flatMap { Int($0.1.filter { $0 != "," }) }
            }
            let received = try #require(figure(/(?m)^received ([0-9,]+) packet/), "\(summary)")
            let sent = try #require(figure(/(?m)^sent ([0-9,]+) packet/), "\(summary)")
            let dropped = try #require(figure(/(?m)^dropped ([0-9,]+) packet/), "\(summary)")
            #expect(received == sent + dropped, "after \(moment) ms: \(summary)")
            let named = summary.matches(of: /(?m)^  [a-z_]+ ([0-9,]+)$/).map {
                Int($0.1.filter { $0 != "," }) ?? 0
            }
            #expect(named.reduce(0, +) == dropped, "\(summary)")
            if moment == 400 { #expect(summary.contains("\n  unresolved ") && sent == 0, "\(summary)") }
            sender.stop()
        }
    }

    @Test("SIGHUP takes up what the file says now, and a file with an error leaves all as it was")
    func reload() throws {
        let service = try Service("reload")
        try service.configure(streams: [5004])
        try service.start()
        try service.send(10, to: 5004)
        try service.configure(streams: [5004, 5006])
        service.running.send(SIGHUP)
        try service.running.waitForLine(containing: "the configuration is in force: 2 streams")
        try service.send(10, to: 5006)
        try Data("{ streams: [ { listen: \"192.0.2.2:5004\", too: [] } ] }".utf8)
            .write(to: URL(fileURLWithPath: service.file))
        service.running.send(SIGHUP)
        let line = try service.running.waitForLine(containing: "the configuration stays as it was")
        #expect(line.contains("forward.json5:1:"))
        try service.send(10, to: 5004)
        try service.waitFor(30)
        let status = try service.control("status")
        #expect(status.contains("\"name\":\"s5004\""))
        #expect(status.contains("\"packets\":20,"))
        #expect(status.contains("\"packets\":10,"))
        #expect(service.running.stop() == .exited(0))
    }

    @Test("the control socket gives the status, reloads with the reason when it can't, and stops")
    func control() throws {
        let service = try Service("control")
        try service.configure(streams: [5004])
        try service.start()
        try service.configure(streams: [5004, 5006, 5008])
        #expect(try service.control("reload") == "{\"ok\":true,\"streams\":3}\n")
        #expect(try service.control("status").contains("\"name\":\"s5008\""))
        let text = try service.relay.run(Service.apus, "control", service.socket, "status").standardOutput
        #expect(text.contains("stream s5008: received 0"))
        try Data("{ streams: 7 }".utf8).write(to: URL(fileURLWithPath: service.file))
        let refusal = #expect(throws: LabError.self) { try service.control("reload") }
        #expect(
            refusal?.description.contains("\\\"ok\\\":false") == true
                || refusal?.description.contains("\"ok\":false") == true)
        #expect(refusal?.description.contains("forward.json5:1:12") == true)
        #expect(try service.control("stop") == "{\"ok\":true}\n")
        // The command returns when the forwarder has ended all its work; the process has but to exit.
        #expect(service.running.waitForExit() == .exited(0))
        #expect(service.running.errors.contains("of user 0"))
    }

    @Test("the service manager is told of the start, a reload, the end, and that it is alive")
    func notifications() throws {
        let service = try Service("notify")
        try service.configure(streams: [5004])
        let listener = try Script(
            """
            import socket
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind("\(service.folder.path)/notify.sock")
            print("bound")
            import time
            while True:
                message = s.recv(4096).decode().replace("\\n", " | ")
                print("WATCHDOG=1 at %d" % (time.monotonic() * 1000) if message == "WATCHDOG=1" else message)
            """)
        #expect(listener.line() == "bound")
        try service.start(environment: [
            "NOTIFY_SOCKET": service.folder.path + "/notify.sock", "WATCHDOG_USEC": "400000",
        ])
        /// The time of a sign of life, in milliseconds.
        func beat(_ line: String) -> Int? {
            line.hasPrefix("WATCHDOG=1 at ") ? Int(line.dropFirst(14)) : nil
        }
        /// The next message that is no sign of life.
        func next() -> String {
            for _ in 0..<100 {
                let line = listener.line()
                if beat(line) == nil { return line }
            }
            return "nothing"
        }
        #expect(next() == "READY=1 | STATUS=forwarding 1 stream")
        let beats = (0..<11).compactMap { _ in beat(listener.line()) }
        #expect(beats.count == 11)
        // Half of 400 ms is the beat, and the manager asks for no more than one in 400 ms. Most of them: the machine may
        // do something else at one or the other.
        let gaps = zip(beats, beats.dropFirst()).map { $1 - $0 }.sorted()
        #expect((150...350).contains(gaps[gaps.count / 2]), "\(gaps)")
        service.running.send(SIGHUP)
        #expect(next().hasPrefix("RELOADING=1 | MONOTONIC_USEC="))
        #expect(next() == "READY=1 | STATUS=forwarding 1 stream")
        service.running.send(SIGTERM)
        #expect(next() == "STOPPING=1 | STATUS=stopping")
        #expect(service.running.waitForExit(within: .seconds(5)) == .exited(0))
    }

    @Test("a storm of reloads starves neither statistics nor metrics nor packets")
    func storm() throws {
        let service = try Service("storm")
        try service.configure(streams: Array(5004..<5204))
        // Not also while it asks for its next hop: 256 packets wait for one.
        _ = try service.relay.run("ping", "-c", "1", "-W", "5", "192.0.2.1")
        try service.start(["--stats", "--json"])
        let over = service.folder.path + "/other.sock"
        let storm = try service.relay.start([
            "/usr/bin/python3", "-c",
            """
            import socket, os, signal, time
            s = socket.socket(socket.AF_UNIX); s.connect("\(service.socket)"); f = s.makefile()
            n = 0; end = time.time() + 60
            while time.time() < end and not os.path.exists("\(over)"):
                os.kill(\(service.running.pid), signal.SIGHUP)
                s.sendall(b"reload\\n"); assert '"ok":true' in f.readline(); n += 1
            print("reloads", n)
            """,
        ])
        try service.send(2000, to: 5100)
        for _ in 0..<5 {
            _ = try service.relay.run("curl", "-sSf", "-m", "20", "http://127.0.0.1:9469/metrics")
        }
        // All of it while the storm goes on, which is then told to end.
        try eventually("three lines of statistics", within: .seconds(20)) {
            service.running.output.split(separator: "\n").count >= 3
        }
        #expect(storm.isRunning)
        try Data().write(to: URL(fileURLWithPath: over))
        try storm.waitForLine(containing: "reloads")
        let reloads = Int(storm.output.split(separator: " ").last!.dropLast()) ?? 0
        #expect(reloads > 10)
        try service.waitFor(2000)
        let status = try service.control("status")
        #expect(
            status.contains(
                "\"name\":\"s5100\",\"listen\":\"192.0.2.2:5100\",\"destinations\":[\"192.0.2.1:6000\"],\"figures\":{\"packets\":2000,\"bytes\":200000,\"sent\":2000,"
            ))
        #expect(service.running.stop() == .exited(0))
    }

    /// A forwarder whose statistics go to a pipe that nobody reads, and its process id.
    private func stalled(_ name: String) throws -> (Service, Running, String) {
        let service = try Service(name)
        // 500 streams are more than a pipe holds.
        try service.configure(streams: Array(5004..<5504))
        let shell = try service.relay.start([
            "/bin/bash", "-c",
            "exec 3> >(exec sleep 60); \(Service.apus) forward --config \(service.file) --stats --json >&3 & "
                + "echo pid $!; wait $!; echo ended $?",
        ])
        let pid = try shell.waitForLine(containing: "pid").dropFirst(4)
        try shell.waitForLine(containing: "ready")
        sleep(3)
        return (service, shell, String(pid))
    }

    @Test("what nobody reads does not hold it up: statistics to a pipe that is full")
    func stalledReader() throws {
        let (service, shell, _) = try stalled("stalled")
        try service.send(10, to: 5004)
        try service.waitFor(10)
        let text = try service.relay.run("curl", "-sSf", "-m", "2", "http://127.0.0.1:9469/metrics")
        #expect(text.standardOutput.contains("apus_stream_received_packets_total{stream=\"s5004\"} 10\n"))
        #expect(try service.control("stop") == "{\"ok\":true}\n")
        // The last line is lost, so that what came of it is told where somebody reads.
        try shell.waitForLine(containing: "ended 69")
        #expect(shell.errors.contains("\nreceived 10 packets"), "\(shell.errors)")
        #expect(shell.errors.contains("cannot write all of the output: nobody reads it any more"))
    }

    @Test(
        "a second SIGTERM ends at once what the first one ends too slowly, and nothing stops the next start")
    func secondSignal() throws {
        let (service, shell, pid) = try stalled("second")
        try service.relay.run("kill", "-TERM", pid)
        try shell.waitForLine(containing: "stopping, asked by SIGTERM")
        usleep(300_000)
        try service.relay.run("kill", "-TERM", pid)
        // 128 and the number of the signal; after the two seconds that a reader is given it would be 69.
        try shell.waitForLine(containing: "ended 143")
        try service.start()
        #expect(service.running.stop() == .exited(0))
    }
}
