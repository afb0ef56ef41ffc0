import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Testing

/// Whether libxdp's dispatcher works here, by the word of xdp-tools.
enum Dispatcher {
    static let works: Bool = {
        guard let net = try? Pair("probe") else { return false }
        defer { net.lab.close() }
        _ = try? net.b.run("xdp-filter", "load", "-m", "native", "-f", "ipv4", "vb")
        return (try? net.b.run("xdp-loader", "status", "vb").standardOutput.contains("xdp_dispatcher"))
            == true
    }()
}

@Suite("Steering", .requires(.root, .program("xdp-filter")))
struct SteeringTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `Only what was asked for is taken, and everything is counted by reason`(_ mode: XDPMode) throws {
        let net = try Pair("steer")
        defer { net.lab.close() }
        let wire = try net.a.enter { try Wire("va") }
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: mode)
            #expect(steering.grant.mode == mode)
            #expect(steering.grant.usesDispatcher == Dispatcher.works)
            #expect(steering.grant.takesFragments)
            #expect(steering.grant.remarks.isEmpty == Dispatcher.works)
            try steering.add(Endpoint("192.0.2.2:5004")!)
            try steering.add(Endpoint("[::]:6000")!)

            func expectOne(
                _ field: KeyPath<SteeringCounters, UInt64>, _ frame: [UInt8],
                sourceLocation: SourceLocation = #_sourceLocation
            ) throws {
                let before = steering.counters[keyPath: field]
                try wire.send(frame)
                for _ in 0..<200 where steering.counters[keyPath: field] == before { usleep(1000) }
                let after = steering.counters[keyPath: field]
                // The kernel of the other side says things of its own: neighbor discovery, group reports.
                let isAlone = field != \.passedNotUDP && field != \.passedNotIP
                #expect(isAlone ? after == before + 1 : after > before, sourceLocation: sourceLocation)
            }
            var datagram = Datagram()
            // No socket is open: what is asked for goes to the kernel.
            try expectOne(\.passedNoSocket, datagram.frame)
            datagram.options = [UInt8](repeating: 1, count: 40)
            try expectOne(\.passedNoSocket, datagram.frame)
            datagram.tags = [5, 7]
            try expectOne(\.passedNoSocket, datagram.frame)
            datagram.tags = [5, 6, 7]
            try expectOne(\.passedNotIP, datagram.frame)
            datagram = Datagram()
            datagram.destination = Endpoint("192.0.2.3:5004")!
            try expectOne(\.passedNoPort, datagram.frame)
            datagram.destination = Endpoint("192.0.2.2:6000")!
            try expectOne(\.passedNoPort, datagram.frame)
            datagram = Datagram()
            datagram.fragment = 0x2000
            try expectOne(\.passedFragment, datagram.frame)
            datagram.fragment = 0x0010
            try expectOne(\.passedFragment, datagram.frame)
            datagram.fragment = 0x4000
            try expectOne(\.passedNoSocket, datagram.frame)
            datagram.proto = 6
            try expectOne(\.passedNotUDP, datagram.frame)
            try expectOne(\.passedMalformed, Array(Datagram().frame.prefix(40)))

            var six = Datagram()
            six.source = Endpoint("[2001:db8::1]:1")!
            six.destination = Endpoint("[2001:db8::99]:6000")!
            try expectOne(\.passedNoSocket, six.frame)
            six.extensions = [(0, [0] + [1, 4, 0, 0, 0, 0]), (60, [1] + [UInt8](repeating: 0, count: 14))]
            try expectOne(\.passedNoSocket, six.frame)
            six.extensions = [(51, [4] + [UInt8](repeating: 0, count: 22))]
            try expectOne(\.passedNotUDP, six.frame)
            six.extensions = [(44, [0, 0, 1, 0, 0, 0, 1])]
            try expectOne(\.passedFragment, six.frame)
            six.extensions = [(44, [0, 0, 8, 0, 0, 0, 1])]
            try expectOne(\.passedFragment, six.frame)
            // One that is whole (RFC 6946); the reserved bits say nothing.
            six.extensions = [(60, [0, 1, 4, 0, 0, 0, 0]), (44, [9, 0, 6, 0, 0, 0, 1])]
            try expectOne(\.passedNoSocket, six.frame)
            six.extensions = [(0, [200, 1, 4, 0, 0, 0, 0])]
            try expectOne(\.passedMalformed, six.frame)
            // Eight are looked through.
            let one: (type: UInt8, body: [UInt8]) = (60, [0, 1, 4, 0, 0, 0, 0])
            six.extensions = Array(repeating: one, count: 8)
            try expectOne(\.passedNoSocket, six.frame)
            six.extensions = Array(repeating: one, count: 9)
            try expectOne(\.passedMalformed, six.frame)
            six.extensions = []
            // An address counts in each of its halves.
            try steering.add(Endpoint("[2001:db8::99]:7000")!)
            six.destination.port = 7000
            try expectOne(\.passedNoSocket, six.frame)
            for other in ["[2001:db8::9900]:7000", "[2001:db9::99]:7000"] {
                six.destination = Endpoint(other)!
                try expectOne(\.passedNoPort, six.frame)
            }
            six.destination = Endpoint("[2001:db8::99]:5004")!
            try expectOne(\.passedNoPort, six.frame)

            try steering.remove(Endpoint("192.0.2.2:5004")!)
            try expectOne(\.passedNoPort, Datagram().frame)
        }
    }

    @Test func `In generic mode what the kernel has merged beyond the MTU is its own, and counted so`() throws
    {
        let net = try Pair("merged")
        defer { net.lab.close() }
        try net.a.run("ethtool", "-K", "va", "tx", "on", "gso", "on", "tx-udp-segmentation", "on")
        try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.generic))
            try interface.add(Endpoint("192.0.2.2:5004")!)
            let port = try interface.open(queue: 0)
            let feature = port.grant.features.first { $0.name == "merged datagrams" }
            #expect(feature?.granted == "not parted")
            #expect(feature?.reason?.contains("ethtool -K vb") == true)
            let program = """
                import socket, sys
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.setsockopt(17, 103, 1000)  # SOL_UDP, UDP_SEGMENT
                s.sendto(bytes(20000), ('192.0.2.2', int(sys.argv[1])))
                """
            func merged(_ port: String) throws -> UInt64? {
                try net.a.run("python3", "-c", program, port)
                return interface.steering?.counters.passed.first { $0.reason == "merged" }?.count
            }
            #expect(try merged("5005") == 0)
            #expect(try merged("5004") == 1)
            #expect(interface.steering?.counters.steered == 0)
        }
    }

    @Test func `The host stays reachable while a program is attached and after it is gone`() throws {
        let net = try Pair("reach")
        defer { net.lab.close() }
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            try steering.add(Endpoint("0.0.0.0:5004")!)
            try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
            try net.a.run("ping", "-6", "-c", "1", "-W", "2", "2001:db8::2")
            #expect(steering.counters.passedNotIP > 0)
            #expect(steering.counters.passedNotUDP > 0)
            try steering.detach()
            #expect(!steering.isAttached)
            #expect(throws: XDPError.self) { try steering.add(Endpoint("0.0.0.0:1")!) }
            try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
        }
        let left = try net.b.run("ip", "-d", "link", "show", "vb").standardOutput
        #expect(!left.contains("xdp"))
        #expect(try net.b.run("ls", "/sys/fs/bpf/xdp").standardOutput.isEmpty)
    }

    @Test func `It lives beside another program of the dispatcher, and leaves it there`() throws {
        let net = try Pair("beside")
        defer { net.lab.close() }
        guard Dispatcher.works else {
            // Then xdp-tools can't share an interface either, and both orders are refused with the reason.
            print("libxdp's dispatcher: not on this kernel, which refuses BPF extension programs")
            try net.b.enter {
                let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
                #expect(steering.grant.remarks.contains { $0.contains("can't replace BPF functions (") })
                #expect(throws: LabError.self) { try net.b.run("xdp-filter", "load", "-f", "ipv4", "vb") }
                try steering.detach()
                try net.b.run("xdp-filter", "load", "-m", "native", "-f", "ipv4", "vb")
                let error = try #require(throws: XDPError.self) {
                    _ = try SteeringProgram(attachingTo: "vb", mode: .native)
                }
                #expect(error.cause == .occupied(program: "xdpfilt_alw_ip"))
                try net.b.run("xdp-filter", "unload", "vb")
            }
            return
        }
        try net.b.enter {
            try net.b.run("xdp-filter", "load", "-m", "native", "-f", "ipv4", "vb")
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            #expect(steering.grant.others == ["xdpfilt_alw_ip"])
            #expect(steering.grant.usesDispatcher)
            try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
            #expect(steering.counters.passedNotUDP > 0)
            try net.b.run("xdp-filter", "ip", "-m", "src", "192.0.2.1")
            #expect(throws: LabError.self) { try net.a.run("ping", "-c", "1", "-W", "1", "192.0.2.2") }
            #expect(steering.isAttached)
            try steering.detach()
            let status = try net.b.run("xdp-loader", "status", "vb").standardOutput
            #expect(status.contains("xdpfilt_alw_ip") && !status.contains("apus_steer"))
            try net.b.run("xdp-filter", "unload", "vb")
        }
    }

    @Test func `A program that was not loaded through the dispatcher is named, and left alone`() throws {
        let net = try Pair("occupied")
        defer { net.lab.close() }
        try net.b.run(
            "ip", "link", "set", "dev", "vb", "xdpdrv", "object",
            "/usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog_5.3.o", "section", "xdp")
        try net.b.enter {
            let error = try #require(throws: XDPError.self) {
                _ = try SteeringProgram(attachingTo: "vb", mode: .native)
            }
            guard case .occupied(let program) = error.cause else {
                Issue.record("\(error)")
                return
            }
            #expect(program == "xsk_def_prog")
            #expect("\(error)".contains("ip link set dev vb xdp off"))
            let other = try #require(throws: XDPError.self) {
                _ = try SteeringProgram(attachingTo: "vb", mode: .generic)
            }
            #expect(other.cause == .otherModeActive(requested: .generic))
        }
    }

    @Test func `Without a BPF file system it is attached alone, and says so`() throws {
        let net = try Pair("nobpffs")
        defer { net.lab.close() }
        try net.b.run("umount", "/sys/fs/bpf")
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            #expect(!steering.grant.usesDispatcher)
            #expect(steering.grant.takesFragments)
            #expect(
                steering.grant.remarks.contains { $0.contains("mount -t bpf -o mode=0700 bpf /sys/fs/bpf") })
            try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
            #expect(steering.counters.passedNotUDP > 0)
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
    }

    @Test func `A second one on the same interface is refused by the name of the holder`() throws {
        let net = try Pair("twice")
        defer { net.lab.close() }
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            let error = try #require(throws: XDPError.self) {
                _ = try SteeringProgram(attachingTo: "vb", mode: .native)
            }
            #expect(error.cause == .held(pid: getpid()))
            #expect(steering.isAttached)
        }
    }

    @Test func `A missing interface is told with those that are there`() throws {
        let net = try Pair("missing")
        defer { net.lab.close() }
        try net.b.enter {
            let error = try #require(throws: XDPError.self) {
                _ = try SteeringProgram(attachingTo: "eth9", mode: .native)
            }
            #expect(error.cause == .noSuchInterface(existing: ["lo", "vb"]))
            #expect("\(error)" == "eth9: no such interface in this network namespace; there are: lo, vb")
        }
    }

    @Test func `An interface that disappears takes the program with it, and the pins are cleaned up`() throws
    {
        let net = try Pair("gone")
        defer { net.lab.close() }
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            try net.b.run("ip", "link", "del", "vb")
            try steering.detach()
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf/xdp").standardOutput.isEmpty)
    }
}
