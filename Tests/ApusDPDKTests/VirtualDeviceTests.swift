import ApusPorts
import Foundation
import Glibc
import NetworkLab
import Seeds
import Testing

@testable import ApusDPDK

/// Each of DPDK's virtual devices, in a process and a namespace of its own, against a peer that is not it.
@Suite("Virtual devices", .serialized, .requires(.root), .timeLimit(.minutes(5)))
struct VirtualDeviceTests {
    private let lab = NetworkLab("dpdk")

    /// A folder for sockets and captures.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "apus-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        ).path
        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test(.requires(.program("python3")))
    func `net_tap: the kernel's ping and datagrams are answered, by a thread that sleeps between them`()
        throws
    {
        defer { lab.close() }
        let host = try lab.namespace("host")
        let port = try PortProcess(
            ["answer", "net_tap0,iface=tap0", "60", "--wait", "2000"], in: host)
        try port.waitUntilReady()
        #expect(port.number("descriptor") >= 0)
        try host.run("ip", "address", "add", "192.0.2.1/24", "dev", "tap0")
        try host.run("ip", "link", "set", "tap0", "up")
        let began = ContinuousClock.now
        try host.run("ping", "-c", "5", "-i", "0.2", "-W", "1", "192.0.2.2")
        try host.run(["python3", "-c", Self.datagrams])
        // Sleeping to the end of each wait would take minutes.
        #expect(ContinuousClock.now - began < .seconds(20))
        port.stop()
        #expect(port.number("sent") >= 300 + 5)
        #expect(port.number("waits") > 5)
        #expect(port.report["drops"] as? [String: Int] == [:])
    }

    /// Datagrams of all lengths up to the MTU come back as they were.
    private static let datagrams = """
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(("192.0.2.2", 7))
        for length in range(1, 1473, 5):
            data = bytes((length + i) & 255 for i in range(length))
            s.send(data)
            assert s.recv(2048) == data, length
        for length in (1471, 1472, 1, 2, 3):
            s.send(bytes(length))
            assert s.recv(2048) == bytes(length)
        """

    @Test(arguments: [
        ("net_af_packet0,iface=va", "net_af_xdp0,iface=vb"),
        ("net_af_xdp0,iface=va", "net_af_packet0,iface=vb"),
    ])
    func `net_af_packet and net_af_xdp: frames cross a link and come back as they were`(
        _ near: String, _ far: String
    ) throws {
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        try lab.link(a, "va", b, "vb")
        // DPDK's AF_XDP driver does not free all that it has taken, which the address sanitizer would tell of.
        let lenient = ["LSAN_OPTIONS": "detect_leaks=0", "ASAN_OPTIONS": "detect_leaks=0"]
        let answering = try PortProcess(["answer", near, "60"], in: a, environment: lenient)
        try answering.waitUntilReady()
        let asking = try PortProcess(["exchange", far, "5000"], in: b, environment: lenient)
        #expect(asking.running.waitForExit(within: .seconds(60)) == .exited(0), "\(asking.running.output)")
        answering.running.send(SIGTERM)
        #expect(answering.running.waitForExit() == .exited(0), "\(answering.running.output)")
        for port in [answering, asking] {
            #expect(port.report["conserved"] as? Bool == true)
            #expect(port.number("received") >= 5000 && port.number("sent") >= 5000)
            #expect(port.report["drops"] as? [String: Int] == [:])
            // DPDK's AF_XDP driver does not give back what is in its rings when it is closed.
            #expect(port.number("lost_pools") == (port.report["driver"] as? String == "net_af_xdp" ? 1 : 0))
        }
    }

    @Test func `A length that a device refuses is said in a sentence, with what DPDK says`() throws {
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        try lab.link(a, "va", b, "vb")
        let port = try PortProcess(["open", "net_af_packet0,iface=va", "0", "--mtu", "9000"], in: a)
        #expect(port.running.waitForExit() == .exited(69))
        #expect(
            port.running.output.hasSuffix(
                "DPDK says: Frame size (9018) > device max frame size (1518) for port_id 0\n"),
            "\(port.running.output)")
        let missing = try PortProcess(["open", "net_af_packet0,iface=vz", "0"], in: a)
        #expect(missing.running.waitForExit() == .exited(69))
        #expect(
            missing.running.output.hasPrefix(
                "error: net_af_packet0,iface=vz: there is no interface vz for it; the kernel has: lo, va"),
            "\(missing.running.output)")
        let twice = try PortProcess(["open", "net_af_packet0,iface=va", "0", "--queues", "2"], in: a)
        #expect(twice.running.waitForExit() == .exited(69))
        #expect(twice.running.output == "error: net_af_packet0,iface=va: it has 1 queue at most, not 2\n")
    }

    @Test func `net_memif: two processes exchange frames`() throws {
        let folder = try Folder()
        let socket = "id=0,socket=\(folder.path)/memif,socket-abstract=no"
        let answering = try PortProcess(["answer", "net_memif0,role=server,\(socket)", "60"])
        try answering.waitUntilReady()
        let asking = try PortProcess(["exchange", "net_memif0,role=client,\(socket)", "20000"])
        asking.expectEnd()
        answering.stop()
        #expect(asking.number("received") >= 20000 && answering.number("sent") >= 20000)
    }

    @Test
    func
        `net_vhost and net_virtio_user: two processes exchange frames through shared hugepages, and one sleeps`()
        throws
    {
        let pages = try HugePageReserve(64)
        defer { withExtendedLifetime(pages) {} }
        let folder = try Folder()
        let huge = ["--huge", "--memory", "48", "--eal", "--single-file-segments"]
        let answering = try PortProcess(["answer", "net_vhost0,iface=\(folder.path)/vhost", "60"] + huge)
        try answering.waitUntilReady()
        let began = ContinuousClock.now
        let asking = try PortProcess(
            ["exchange", "net_virtio_user0,path=\(folder.path)/vhost,queues=1", "5000", "--wait", "2000"]
                + huge)
        asking.expectEnd()
        // It is woken: to the end of each wait it would take hours.
        #expect(ContinuousClock.now - began < .seconds(30))
        #expect(asking.number("descriptor") >= 0 && asking.number("waits") > 0)
        #expect((asking.report["grant"] as? String)?.contains("pages 2 MiB") == true)
        answering.stop()
        #expect(asking.number("received") >= 5000 && answering.number("sent") >= 5000)
    }

    @Test(.requires(.program("tshark")))
    func `net_pcap: what is read from a capture is written to another as it was`() throws {
        let folder = try Folder()
        let (input, output) = (folder.path + "/in.pcap", folder.path + "/out.pcap")
        var random = Seeded(4)
        let frames = (0..<3000).map { _ in
            (0..<Int.random(in: 14...1514, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
        }
        try Self.write(frames, to: input)
        let port = try PortProcess(
            ["turn", "net_pcap0,rx_pcap=\(input),tx_pcap=\(output)", "3000"])
        port.expectEnd()
        #expect(port.number("received") == 3000 && port.number("sent") == 3000)
        #expect(port.number("sent_bytes") == frames.reduce(0) { $0 + $1.count })
        #expect(try Self.read(output) == frames)
        let counted = try NetworkLab.run(["tshark", "-r", output, "-T", "fields", "-e", "frame.len"])
        #expect(counted.standardOutput.split(separator: "\n").map { Int($0) } == frames.map { $0.count })
    }

    @Test(arguments: [false, true])
    func `net_null: with hugepages and without`(_ isHuge: Bool) throws {
        let pages = isHuge ? try HugePageReserve(40) : nil
        defer { withExtendedLifetime(pages) {} }
        let port = try PortProcess(
            ["turn", "net_null0,size=1000", "100000"] + (isHuge ? ["--huge", "--memory", "64"] : []))
        port.expectEnd()
        #expect(port.number("sent") >= 100_000 && port.number("sent_bytes") == 1000 * port.number("sent"))
        let grant = try #require(port.report["grant"] as? String)
        #expect(grant.contains(isHuge ? "pages 2 MiB" : "pages normal"))
    }

    private static func write(_ frames: [[UInt8]], to path: String) throws {
        var port = Port(try CaptureDriver(writing: path, frames: 64))
        var burst = Burst()
        for frame in frames {
            guard var packet = port.makePacket() else { throw NoFrame() }
            packet.set(frame)
            burst.append(packet)
            port.transmit(&burst)
            port.flush()
        }
        try port.intoDriver().finish()
    }

    private static func read(_ path: String) throws -> [[UInt8]] {
        var port = Port(try CaptureDriver(reading: path, frames: 64))
        var burst = Burst()
        var frames: [[UInt8]] = []
        while !port.driver.isFinished {
            port.receive(into: &burst)
            while let packet = burst.popFirst() { frames.append(packet.octets) }
        }
        return frames
    }
}
