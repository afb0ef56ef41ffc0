import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("The metrics server", .requires(.program("curl")), .timeLimit(.minutes(2)))
struct ServiceMetricsTests {
    private static func loopback(_ port: UInt16) -> Endpoint {
        Endpoint(.v4(IPv4Address(bits: 0x7f00_0001)), port: port)
    }

    private func curl(_ words: String..., seconds: Int = 20) throws -> String {
        try NetworkLab.run(
            ["curl", "--silent", "--show-error", "--max-time", "\(seconds)"] + words,
            timeout: .seconds(seconds + 10)
        ).standardOutput
    }

    private func server(_ status: ForwarderStatus = .sample) throws -> (Pump, String) {
        let endpoint = Self.loopback(freePort())
        return (try Pump.metrics(endpoint, status), "http://\(endpoint)")
    }

    @Test("a GET of /metrics gets the text format with its content type")
    func metrics() throws {
        let (pump, url) = try server()
        defer { pump.end() }
        let answer = try curl("--include", "\(url)/metrics")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(answer.contains("\napus_received_packets_total 1000\n"))
        #expect(answer.hasSuffix("\n"))
    }

    @Test("/health says 200 or 503, with the reason")
    func health() throws {
        var status = ForwarderStatus.sample
        for stream in status.streams.indices { status.streams[stream].destinations = ["198.51.100.9:5004"] }
        let (pump, url) = try server(status)
        defer { pump.end() }
        let answer = try curl("--include", "\(url)/health")
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Content-Type: application/json\r\n"))
        #expect(answer.contains("\"reasons\":[\"198.51.100.9:5004: no route\"]"))
        status.unreachable = [:]
        let (other, otherURL) = try server(status)
        defer { other.end() }
        #expect(try curl("--include", "\(otherURL)/health").hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test("other paths are 404, other methods 405 with those that are allowed, and HEAD has no body")
    func refusals() throws {
        let (pump, url) = try server()
        defer { pump.end() }
        #expect(try curl("--include", "\(url)/").hasPrefix("HTTP/1.1 404 "))
        #expect(try curl("--include", "\(url)/metrics/").hasPrefix("HTTP/1.1 404 "))
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = try curl("--include", "--request", method, "--data", "x=1", "\(url)/metrics")
            #expect(answer.hasPrefix("HTTP/1.1 405 "))
            #expect(answer.contains("Allow: GET, HEAD\r\n"))
        }
        let head = try curl("--include", "--head", "\(url)/metrics")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(!head.contains("apus_"))
        // The query is no part of the path.
        #expect(try curl("\(url)/metrics?x=1").contains("apus_sent_packets_total"))
    }

    @Test("an address that is in use, or not on this host, is named")
    func errors() throws {
        let (pump, url) = try server()
        defer { pump.end() }
        let endpoint = Self.loopback(UInt16(url.split(separator: ":").last!)!)
        let taken = #expect(throws: ServiceError.self) { try Pump.metrics(endpoint, .sample) }
        #expect(taken == .addressInUse(endpoint))
        #expect(taken?.description.contains("\(endpoint)") == true)
        let foreign = Endpoint(.v4(IPv4Address("203.0.113.77")!), port: 9469)
        #expect(throws: ServiceError.addressNotOnHost(foreign)) { try Pump.metrics(foreign, .sample) }
        let left = descriptorsLeft {
            for _ in 0..<20 where (try? Pump.metrics(endpoint, .sample)) != nil { return }
        }
        #expect(left == 0)
    }

    @Test("it listens on IPv6, and its port is free again when it has gone")
    func ipv6() throws {
        let endpoint = Endpoint(.v6(IPv6Address("::1")!), port: freePort())
        for _ in 0..<3 {
            let pump = try Pump.metrics(endpoint, .sample)
            defer { pump.end() }
            #expect(try curl("http://\(endpoint)/metrics").contains("apus_streams 2"))
        }
    }

    @Test("ten thousand streams are served whole")
    func many() throws {
        let status = ForwarderStatus.ofMany
        // However long that takes a debug build on a busy machine.
        let endpoint = Self.loopback(freePort())
        let pump = try Pump { () throws(ServiceError) in
            let server = try MetricsServer(endpoint, limit: 100_000) { StatusSnapshot(status) }
            return (server.descriptor, { server.timeout }, { server.attend() })
        }
        defer { pump.end() }
        // The fewest turns of some times: a client that has to wait for its turn takes little at a time.
        var (text, turns) = ("", Int.max)
        for _ in 0..<5 where turns >= text.utf8.count >> 16 {
            let before = pump.rounds
            text = try curl("http://\(endpoint)/metrics", seconds: 90)
            turns = pump.rounds - before
        }
        #expect(text.contains("apus_stream_received_packets_total{stream=\"stream 9999\"} 9999\n"))
        #expect(
            text.split(separator: "\n").filter { $0.hasPrefix("apus_stream_sent_packets_total{") }.count
                == 10_000)
        // What else a control thread has to do comes in between, and may take long.
        #expect(turns < text.utf8.count >> 16, "\(text.utf8.count) octets in \(turns) turns")
    }

    @Test("clients that say nothing, garbage, or too much don't keep others from their answer")
    func attackers() throws {
        let (pump, url) = try server()
        defer { pump.end() }
        let port = url.split(separator: ":").last!
        // Fewer than it serves at a time: they hold their places, the rest is served.
        let script = """
            import socket, os
            s = [socket.create_connection(("127.0.0.1", \(port))) for _ in range(12)]
            for i, c in enumerate(s[:6]): c.sendall(b"GET /metrics HTTP/1.1\\r\\n")
            for c in s[6:9]:
                try: c.sendall(os.urandom(4000))
                except OSError: pass
            for c in s[9:]:
                try: c.sendall(b"GET /metrics HTTP/1.1\\r\\nX: " + b"a" * 200000)
                except OSError: pass
            print("attacked", flush=True)
            import time; time.sleep(60)
            """
        let attacker = try Script(script)
        #expect(attacker.line() == "attacked")
        for _ in 0..<20 { #expect(try curl("\(url)/metrics").contains("apus_streams 2")) }
        withExtendedLifetime(attacker) {}
        #expect(pump.isResting())
    }

    @Test("more clients than are served at a time wait without making the thread spin, and get their turn")
    func crowd() throws {
        let (pump, url) = try server()
        defer { pump.end() }
        let port = url.split(separator: ":").last!
        let script = """
            import socket
            s = [socket.create_connection(("127.0.0.1", \(port))) for _ in range(24)]
            print("connected", flush=True)
            input()
            for c in s: c.sendall(b"GET /health HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            n = 0
            for c in s:
                c.settimeout(10)
                if c.recv(100).startswith(b"HTTP/1.1 200"): n += 1
            print("served", n, flush=True)
            """
        let crowd = try Script(script)
        #expect(crowd.line() == "connected")
        // Before those that say nothing are forgotten, after ten seconds.
        #expect(pump.isResting(within: 5))
        crowd.goOn()
        #expect(crowd.line() == "served 24")
    }

    @Test("a client that takes its answer slowly holds up nobody, and one that vanishes leaves nothing")
    func slow() throws {
        var status = ForwarderStatus.sample
        status.streams = (0..<20_000).map { ForwarderStatus.stream("stream \($0)", packets: 1) }
        let (pump, url) = try server(status)
        defer { pump.end() }
        let port = url.split(separator: ":").last!
        let script = """
            import socket, time
            s = [socket.create_connection(("127.0.0.1", \(port))) for _ in range(8)]
            for c in s: c.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            for c in s: c.recv(1)
            for c in s[4:]: c.close()
            print("reading", flush=True)
            time.sleep(60)
            """
        let client = try Script(script)
        #expect(client.line() == "reading")
        for _ in 0..<5 { #expect(try curl("\(url)/health").contains("\"status\"")) }
        // Until the kernel's buffers are full there is work to do; then there is none.
        #expect(pump.isResting())
        withExtendedLifetime(client) {}
    }

    @Test("a client that says a little now and then has its connection ended in time")
    func trickle() throws {
        let endpoint = Self.loopback(freePort())
        let pump = try Pump { () throws(ServiceError) in
            let server = try MetricsServer(endpoint, limit: 700) { StatusSnapshot(.sample) }
            return (server.descriptor, { server.timeout }, { server.attend() })
        }
        defer { pump.end() }
        let client = try Script(
            """
            import socket, time
            s = socket.create_connection(("127.0.0.1", \(endpoint.port))); t = time.time()
            s.settimeout(0.05); ended = False
            s.sendall(b"GET /metrics HTTP/1.1\\r\\nX: ")
            while not ended and time.time() - t < 20:
                try:
                    s.sendall(b"a"); ended = s.recv(100) == b""
                except TimeoutError: pass
                except OSError: ended = True
            # Its silences are shorter, so that only the whole of it can have ended it.
            print(ended and 0.6 < time.time() - t)
            """)
        #expect(client.line() == "True")
    }
}
