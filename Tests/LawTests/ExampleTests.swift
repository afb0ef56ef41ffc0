import Apus
import Glibc
import NetworkLab
import Testing

/// Linking Apus is its first use: the example is built and run as a user's program is.
@Suite("The echo example")
struct ExampleTests {
    @Test func `Answers the datagrams for its port and no others`() throws {
        let folder = TemporaryFolder()
        let (questions, answers) = (folder.file("questions.pcap"), folder.file("answers.pcap"))
        do {
            var port = Port(try CaptureDriver(writing: questions))
            var burst = Burst()
            for number in 0..<200 as Range<UInt16> {
                burst.append(try question(of: &port, number: number, to: number % 2 == 0 ? 7 : 9))
                port.transmit(&burst)
            }
        }
        let ran = try Ran([Examples.program("echo"), questions, answers])
        #expect(ran.status == 0 && ran.output == "100 answered\n", "\(ran.output)")

        var port = Port(try CaptureDriver(reading: answers))
        var burst = Burst()
        var expected: UInt16 = 0
        while port.receive(into: &burst) > 0 {
            while let packet = burst.popFirst() {
                guard let headers = packet.udp else {
                    Issue.record("an answer is no datagram")
                    continue
                }
                let ends = (headers.source, headers.destination)
                #expect(ends == (server(expected, port: 7), client(expected)))
                #expect(headers.tags.outer?.control == (expected % 3 == 2 ? 5 : nil))
                let state = headers.udpChecksumState(in: packet.bytes)
                #expect(state == .valid)
                expected += 2
            }
        }
        #expect(expected == 200)
    }

    @Test func `Ends with a sentence where it can't open what it was given`() throws {
        let folder = TemporaryFolder()
        let ran = try Ran([try Examples.program("echo"), "nope"])
        #expect(ran.status == 1)
        #expect(ran.output.hasPrefix("echo: nope can't be opened; "), "\(ran.output)")
        #expect(ran.output.split(separator: "\n").count == 1)
        let files = [folder.file("none.pcap"), folder.file("answers.pcap")]
        let other = try Ran([try Examples.program("echo")] + files)
        #expect(other.status == 1)
        #expect(
            other.output.hasPrefix("echo: \"\(files[0])\" cannot be read as a capture: "), "\(other.output)")
        #expect(unsafe access(files[1], F_OK) != 0)
    }

    @Test func `Does not say that it answered where the answers could not be written`() throws {
        let folder = TemporaryFolder()
        let (questions, answers) = (folder.file("questions.pcap"), folder.file("answers.pcap"))
        do {
            var port = Port(try CaptureDriver(writing: questions))
            var burst = Burst()
            burst.append(try question(of: &port, number: 0, to: 7))
            port.transmit(&burst)
        }
        // The kernel's disk that is always full.
        #expect(unsafe symlink("/dev/full", answers) == 0)
        let ran = try Ran([Examples.program("echo"), questions, answers])
        #expect(ran.status == 1)
        #expect(
            ran.output.hasPrefix("echo: writing \"\(answers)\" failed: No space left on device; "),
            "\(ran.output)")
    }

    @Test(.requires(.root), arguments: [false, true])
    func `Answers a kernel over a link, and leaves it the rest of the traffic`(offloads: Bool) throws {
        let lab = NetworkLab("echo")
        defer { lab.close() }
        let (client, server) = (try lab.namespace("client"), try lab.namespace("server"))
        try lab.link(
            client, "vc", ["192.0.2.1/24", "2001:db8::1/64"], server, "vs",
            ["192.0.2.2/24", "2001:db8::2/64"],
            offloads: offloads)
        let echo = try server.start([Examples.program("echo"), "vs"])
        defer { echo.kill() }
        // Its output is no terminal here.
        try echo.waitForLine(containing: "vs queue 0: ")
        for address in ["192.0.2.2", "2001:db8::2"] {
            let ask = "exec 3<>/dev/udp/\(address)/7; printf question >&3; timeout 10 head -c 8 <&3"
            let answer = (try? client.run("bash", "-c", ask).standardOutput) ?? ""
            #expect(answer == "question", "\(address): \(echo.output) \(echo.errors)")
        }
        _ = try client.run("ping", "-c", "1", "-W", "5", "192.0.2.2")
    }

    @Test(.requires(.root, .program("setpriv")))
    func `Names at once what an unprivileged user lacks`() throws {
        let pair = try Pair("unprivileged")
        defer { pair.close() }
        let echo = try pair.a.start(["setpriv", "--bounding-set", "-all", Examples.program("echo"), "va"])
        #expect(echo.waitForExit() == .exited(1))
        #expect(
            echo.errors.hasPrefix(
                """
                echo: va can't be opened; listening on port 7 needs CAP_NET_RAW, CAP_NET_BIND_SERVICE; \
                run as root, or once: setcap cap_net_raw,cap_net_bind_service+ep
                """), "\(echo.errors)")
    }

    /// A kernel that thinks nobody has the port answers that it is unreachable, which a connected socket is told.
    @Test(.requires(.root, .program("python3")), arguments: [(1, "xdp"), (2, "packet")])
    func `Answers each datagram of a connected client`(queues: Int, backend: String) throws {
        let lab = NetworkLab("connected")
        defer { lab.close() }
        let (client, server) = (try lab.namespace("client"), try lab.namespace("server"))
        try lab.link(
            client, "vc", ["192.0.2.1/24", "2001:db8::1/64"], server, "vs",
            ["192.0.2.2/24", "2001:db8::2/64"],
            queues: queues)
        let echo = try server.start([Examples.program("echo"), "vs"])
        defer { echo.kill() }
        try echo.waitForLine(containing: "vs queue 0: \(backend), backend \(backend)")
        for (family, address) in [("AF_INET", "192.0.2.2"), ("AF_INET6", "2001:db8::2")] {
            let ask = """
                import socket
                client = socket.socket(socket.\(family), socket.SOCK_DGRAM)
                client.settimeout(10)
                client.connect(('\(address)', 7))
                for number in range(100):
                    question = b'question %d' % number
                    client.send(question)
                    assert client.recv(64) == question, number
                """
            try client.run("python3", "-c", ask)
        }
        // Types that were never sent are not in the tables.
        let counters = try server.run("cat", "/proc/net/snmp", "/proc/net/snmp6").standardOutput
        #expect(counters.contains("Icmp6OutMsgs"))
        #expect(!counters.contains(#/ OutType3\b|Icmp6OutType1\b/#), "\(counters)")
    }

    /// Where a question comes from: IPv4, IPv6 and a VLAN in turn.
    func client(_ number: UInt16) -> Endpoint {
        Endpoint(IPAddress(number % 3 == 1 ? "2001:db8::1" : "192.0.2.1")!, port: 40_000 + number)
    }

    func server(_ number: UInt16, port: UInt16) -> Endpoint {
        Endpoint(IPAddress(number % 3 == 1 ? "2001:db8::2" : "192.0.2.2")!, port: port)
    }

    func question(of port: inout Port<CaptureDriver>, number: UInt16, to service: UInt16) throws -> Packet {
        let tag = VLANTag(tagProtocol: .vlan, control: 5)
        let headers = UDPEncapsulation(
            nextHop: MACAddress("02:00:00:00:00:02")!, interface: MACAddress("02:00:00:00:00:01")!,
            tags: number % 3 == 2 ? VLANTags(tag) : VLANTags(), source: client(number),
            destination: server(number, port: service))!
        var packet = port.makePacket()!
        let payload = 100 + Int(number)
        #expect(packet.append(headers.byteCount + payload) == true)
        packet.timestamp = UInt64(number) + 1
        var bytes = packet.mutableBytes
        for offset in headers.byteCount..<headers.byteCount + payload {
            bytes.storeBytes(of: UInt8(truncatingIfNeeded: offset), toByteOffset: offset, as: UInt8.self)
        }
        let checksum = headers.checksum(of: bytes.bytes.extracting(droppingFirst: headers.byteCount))
        try headers.encode(into: &bytes, payloadLength: payload, udpChecksum: checksum)
        return packet
    }
}
