import ApusConfig
import Foundation
import NetworkLab
import Testing

// Where the control socket and the metrics server are, and who may have them.
extension ServiceProcessTests {
    @Test(
        "a reload moves the control socket and the metrics server, and one that can't be had refuses it all")
    func endpoints() throws {
        let service = try Service("endpoints")
        try service.configure(streams: [5004])
        try service.start()
        func write(_ socket: String, _ metrics: String) throws {
            let text = """
                { defaults: { backend: "packet" },
                  streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:6000"] }],
                  control: { socket: "\(socket)", mode: "0640" }, metrics: { listen: "\(metrics)" } }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: service.file))
        }
        try write(service.folder.path + "/none/control.sock", "127.0.0.1:9470")
        #expect(throws: LabError.self) { try service.control("reload") }
        #expect(throws: LabError.self) {
            try service.relay.run("curl", "-sS", "http://127.0.0.1:9470/health")
        }
        _ = try service.relay.run("curl", "-sSf", "http://127.0.0.1:9469/health")

        let other = service.folder.path + "/other.sock"
        try write(other, "192.0.2.77:9470")
        let foreign = #expect(throws: LabError.self) { try service.control("reload") }
        #expect(
            foreign?.description.contains("forward.json5:3:") == true
                && foreign?.description.contains("no interface has the address 192.0.2.77") == true,
            "\(foreign as Any)")
        #expect(unsafe access(other, F_OK) != 0)

        try write(other, "127.0.0.1:9470")
        #expect(try service.control("reload") == "{\"ok\":true,\"streams\":1}\n")
        #expect(unsafe access(service.socket, F_OK) != 0)
        #expect(try service.relay.run("stat", "-c", "%a", other).standardOutput == "640\n")
        let status = try service.relay.run(Service.apus, "control", other, "status", "--json")
        #expect(status.standardOutput.contains("\"ok\":true"))
        _ = try service.relay.run("curl", "-sSf", "http://127.0.0.1:9470/health")
        #expect(throws: LabError.self) {
            try service.relay.run("curl", "-sS", "http://127.0.0.1:9469/health")
        }
        #expect(service.running.stop() == .exited(0))
        #expect(unsafe access(other, F_OK) != 0)
    }

    @Test("the metrics server moves to an address that overlaps its own, and stays where that can't be had")
    func overlappingMetrics() throws {
        let service = try Service("overlap")
        func write(_ metrics: String, stream: Int = 5004) throws {
            let text = """
                { defaults: { backend: "packet" },
                  streams: [{ listen: "192.0.2.2:\(stream)", to: ["192.0.2.1:6000"] }],
                  control: { socket: "\(service.socket)" }, metrics: { listen: "\(metrics)" } }
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: service.file))
        }
        func answers(_ address: String) -> Bool {
            (try? service.relay.run("curl", "-sSf", "-m", "5", "http://\(address)/health")) != nil
        }
        try write("127.0.0.1:9469")
        try service.start()
        for (endpoint, others) in [("0.0.0.0:9469", true), ("127.0.0.1:9469", false), ("0.0.0.0:9469", true)]
        {
            try write(endpoint)
            #expect(try service.control("reload") == "{\"ok\":true,\"streams\":1}\n")
            #expect(answers("127.0.0.1:9469") && answers("192.0.2.2:9469") == others, "\(endpoint)")
        }
        // The forwarder refuses the rest of the configuration: all stays as it was.
        let udp = try service.relay.start([
            "/usr/bin/python3", "-c",
            "import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('192.0.2.2',5006)); "
                + "print('bound',flush=True); time.sleep(60)",
        ])
        try udp.waitForLine(containing: "bound")
        try write("127.0.0.1:9469", stream: 5006)
        let refusal = #expect(throws: LabError.self) { try service.control("reload") }
        #expect(refusal?.description.contains("192.0.2.2:5006 is in use by") == true, "\(refusal as Any)")
        #expect(answers("127.0.0.1:9469") && answers("192.0.2.2:9469"))
        // Somebody else has one of the addresses.
        try write("127.0.0.1:9469")
        #expect(try service.control("reload") == "{\"ok\":true,\"streams\":1}\n")
        let tcp = try service.relay.start([
            "/usr/bin/python3", "-c",
            "import socket,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('192.0.2.2',9469)); s.listen(); "
                + "print('bound',flush=True); time.sleep(60)",
        ])
        try tcp.waitForLine(containing: "bound")
        try write("0.0.0.0:9469")
        let second = #expect(throws: LabError.self) { try service.control("reload") }
        #expect(second?.description.contains("can't listen on 0.0.0.0:9469: another socket does") == true)
        #expect(answers("127.0.0.1:9469"))
        #expect(service.running.stop() == .exited(0))
    }

    @Test("a control socket that is named by another path to the same file stays")
    func sameControlSocket() throws {
        let service = try Service("samefile")
        try service.configure(streams: [5004])
        try service.start()
        let link = service.folder.path + "/other.sock"
        #expect(unsafe symlink(service.folder.path, link) == 0)
        let text = """
            { defaults: { backend: "packet" },
              streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:6000"] }],
              control: { socket: "\(link)/control.sock", mode: "0660" } }
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: service.file))
        #expect(try service.control("reload") == "{\"ok\":true,\"streams\":1}\n")
        #expect(try service.relay.run("stat", "-c", "%a", service.socket).standardOutput == "660\n")
        #expect(try service.control("reload") == "{\"ok\":true,\"streams\":1}\n")
        #expect(service.running.stop() == .exited(0))
        #expect(unsafe access(service.socket, F_OK) != 0)
    }

    @Test("metrics count what was sent, and a second forwarder is told that the address is in use")
    func metrics() throws {
        let service = try Service("metrics")
        try service.configure(streams: [5004])
        try service.start()
        try service.send(25, to: 5004)
        try service.waitFor(25)
        let text = try service.relay.run("curl", "-sSf", "http://127.0.0.1:9469/metrics").standardOutput
        #expect(text.contains("apus_stream_received_packets_total{stream=\"s5004\"} 25\n"))
        #expect(text.contains("apus_stream_sent_packets_total{stream=\"s5004\"} 25\n"))
        #expect(text.contains("backend=\"packet\""))
        let second = #expect(throws: LabError.self) {
            try service.relay.run(
                Service.apus, "forward", "-l", "192.0.2.2:5010", "-t", "192.0.2.1:6000", "-b", "packet",
                "--metrics", "127.0.0.1:9469")
        }
        #expect(
            second?.description.contains("can't listen on 127.0.0.1:9469: another socket does") == true,
            "\(second as Any)")
        let third = #expect(throws: LabError.self) {
            try service.relay.run(
                Service.apus, "forward", "-l", "192.0.2.2:5010", "-t", "192.0.2.1:6000", "-b", "packet",
                "--control", service.socket)
        }
        #expect(third?.description.contains("is served by process \(service.running.pid)") == true)
        #expect(service.running.isRunning)
    }

    @Test("the Prometheus client library reads the metrics, and finds types, labels and no series twice")
    func prometheus() throws {
        let service = try Service("prometheus")
        try service.configure(streams: [5004, 5006])
        try service.start()
        let answer = try service.relay.run(
            "/usr/bin/python3", "-c",
            """
            import urllib.request
            from prometheus_client.parser import text_string_to_metric_families as parse
            text = urllib.request.urlopen("http://127.0.0.1:9469/metrics").read().decode()
            seen = set()
            for family in parse(text):
                assert family.type in ("counter", "gauge"), family
                assert family.documentation
                for s in family.samples:
                    key = (s.name, tuple(sorted(s.labels.items())))
                    assert key not in seen, key
                    seen.add(key)
                    assert (family.type == "counter") == s.name.endswith("_total"), s.name
            assert ("apus_stream_received_packets_total", (("stream", "s5006"),)) in seen
            print(len(seen) > 60)
            """)
        #expect(answer.standardOutput == "True\n")
    }
}
