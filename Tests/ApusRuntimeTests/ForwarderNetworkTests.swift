import ApusConfig
import ApusRTP
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// A forwarder between a camera and a screen, in three namespaces: what the kernel does around it is real.
@Suite("A forwarder on a network", .requires(.root), .timeLimit(.minutes(3)))
struct ForwarderNetworkTests {
    struct Line {
        let lab: NetworkLab
        let (camera, relay, screen): (Namespace, Namespace, Namespace)

        /// - Parameter queues: of the camera's side.
        init(_ purpose: String, queues: Int = 1) throws {
            lab = NetworkLab(purpose)
            camera = try lab.namespace("camera")
            relay = try lab.namespace("relay")
            screen = try lab.namespace("screen")
            try lab.link(
                camera, "cam0", ["10.1.0.1/24", "2001:db8:1::1/64"], relay, "near",
                ["10.1.0.2/24", "2001:db8:1::2/64"], queues: queues)
            try lab.link(
                relay, "far", ["10.2.0.2/24", "2001:db8:2::2/64"], screen, "scr0",
                ["10.2.0.1/24", "2001:db8:2::1/64"])
        }

        /// Starts a receiver that prints the length and source of each datagram.
        func watch(_ address: String, port: Int) throws -> Running {
            let script = """
                import socket
                s = socket.socket(socket.AF_INET6 if ':' in '\(address)' else socket.AF_INET, socket.SOCK_DGRAM)
                s.bind(('\(address)', \(port))); print('bound', flush=True)
                while True:
                    data, source = s.recvfrom(65535)
                    print('got', len(data), source[0], flush=True)
                """
            let receiver = try screen.start(["python3", "-c", script])
            try receiver.waitForLine(containing: "bound")
            return receiver
        }

        /// Starts a camera that sends a datagram of a length ten times a second, until the lab closes.
        func send(_ length: Int, to address: String, port: Int = 5004) throws {
            let script = """
                import socket, time
                six = ':' in '\(address)'
                s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
                s.setsockopt(socket.IPPROTO_IP, 10, 0)
                if six:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('cam0'))
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 9)
                else:
                    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.1.0.1'))
                    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 9)
                for i in range(1200):
                    s.sendto(bytes(\(length)), ('\(address)', \(port)))
                    time.sleep(0.1)
                """
            _ = try camera.start(["python3", "-c", script])
        }
    }

    static func configuration(
        _ backend: BackendChoice, listen: String, to: [String], interface: String? = nil
    ) -> ForwarderConfiguration {
        var port = PortConfiguration()
        (port.backend, port.mode, port.ringSize) = (backend, backend == .xdp ? .generic : .auto, 256)
        return ForwarderConfiguration(
            streams: [
                StreamConfiguration(
                    listen: Endpoint(listen)!, to: to.map { Endpoint($0)! }, interface: interface)
            ],
            interfaces: ["near", "far"].map { InterfaceConfiguration(name: $0, port: port) })
    }

    /// Attends to a forwarder until a condition holds, for half a minute at most.
    static func attend(_ forwarder: Forwarder, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            try forwarder.attend()
            if try condition() { return }
            usleep(20_000)
        }
        Issue.record("it did not come about; \(forwarder.status())")
    }

    @Test(arguments: [BackendChoice.packet, .xdp], ["239.1.2.3", "ff15::7"])
    func `A group is joined on its interface, and left when the stream is gone`(
        _ backend: BackendChoice, _ group: String
    ) throws {
        let line = try Line("group")
        defer { line.lab.close() }
        let isIPv6 = group.contains(":")
        let receiver = try line.watch(isIPv6 ? "2001:db8:2::1" : "10.2.0.1", port: 5006)
        try line.send(100, to: group)
        try line.relay.enter {
            func joined() throws -> Bool {
                try line.relay.run("ip", "maddress", "show", "dev", "near").standardOutput.contains(group)
            }
            let configuration = Self.configuration(
                backend, listen: isIPv6 ? "[\(group)]:5004" : "\(group):5004",
                to: [isIPv6 ? "[2001:db8:2::1]:5006" : "10.2.0.1:5006"], interface: "near")
            do {
                let forwarder = try Forwarder(configuration)
                #expect(try joined())
                try Self.attend(forwarder) { forwarder.status().sent >= 3 }
                let status = forwarder.stop()
                #expect(status.streams[0].figures.packets >= 3)
            }
            #expect(try !joined())
        }
        try receiver.waitForLine(containing: "got 100 \(isIPv6 ? "2001:db8:2::2" : "10.2.0.2")")
    }

    @Test func `An interface that streams need and nobody has listed is opened as the defaults say`() throws {
        let line = try Line("defaults")
        defer { line.lab.close() }
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try line.relay.enter {
            var configuration = Self.configuration(.packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"])
            configuration.interfaces.removeLast()
            (configuration.interfaces[0].port.ringSize, configuration.interfaces[0].port.frames) = (128, 2048)
            (configuration.defaults.backend, configuration.defaults.ringSize) = (.packet, 64)
            configuration.defaults.frames = 512
            let forwarder = try Forwarder(configuration)
            #expect(forwarder.grants.map(\.interface) == ["near", "far"])
            let slots = forwarder.grants.compactMap { grant in
                grant.features.first { $0.name.contains("ring") }?.granted
            }
            #expect(Set(slots).count == 2, "\(forwarder.grants)")
            try line.send(100, to: "10.1.0.2")
            try Self.attend(forwarder) { forwarder.status().sent >= 3 }
            // What is too small only for them is refused as it would be without a list.
            configuration.limits.pendingPackets = 450
            configuration.defaults.map = SourceMap(.option("defaults"))
            let error = #expect(throws: ForwarderError.self) { try Forwarder(configuration) }
            #expect("\(error as Any)".contains("expected at most 384 packets to be held back"))
        }
        try receiver.waitForLine(containing: "got 100")
    }

    @Test
    func `A route that becomes a broadcast makes a destination unreachable, and counts what goes there`()
        throws
    {
        let line = try Line("later")
        defer { line.lab.close() }
        try line.relay.run("ip", "route", "add", "203.0.113.0/24", "via", "10.2.0.1")
        try line.relay.enter {
            let configuration = Self.configuration(
                .packet, listen: "10.1.0.2:5004", to: ["203.0.113.255:5006"])
            let forwarder = try Forwarder(configuration)
            try line.send(100, to: "10.1.0.2")
            try Self.attend(forwarder) { forwarder.status().sent >= 3 }
            try line.relay.run("ip", "address", "add", "203.0.113.1/24", "dev", "far")
            try line.relay.run("ip", "route", "del", "203.0.113.0/24", "via", "10.2.0.1")
            try Self.attend(forwarder) { forwarder.status().drops["unreachable"] ?? 0 >= 3 }
            let reason = forwarder.status().unreachable["203.0.113.255:5006"]
            #expect(reason?.contains("203.0.113.255 is a broadcast address") == true, "\(reason ?? "")")
            // A reload refuses it with its place.
            #expect {
                try forwarder.reload(configuration)
            } throws: {
                "\($0)".contains("203.0.113.255 is a broadcast address")
            }
        }
    }

    @Test func `A reload that needs another interface says which stream does, and where that is written`()
        throws
    {
        let line = try Line("place")
        defer { line.lab.close() }
        try line.relay.enter {
            func configuration(_ more: String) throws -> ForwarderConfiguration {
                try ForwarderConfiguration(
                    parsing: ConfigurationSource(
                        name: "x.json5",
                        text: """
                            {
                              defaults: { backend: "packet" },
                              streams: [
                                { name: "a", listen: "10.1.0.2:5004", to: ["10.1.0.1:5006"] },
                                \(more)
                              ],
                            }
                            """))
            }
            let forwarder = try Forwarder(try configuration(""))
            #expect(forwarder.grants.map(\.interface) == ["near"])
            let refusal = #expect(throws: ForwarderError.self) {
                try forwarder.reload(
                    configuration(#"{ name: "b", listen: "10.1.0.2:5008", to: ["10.2.0.1:5006"] },"#))
            }
            #expect(
                "\(refusal as Any)".contains(
                    "x.json5:5:48: the stream \"b\" needs the interface far, which is not open; opening one needs a restart"
                ), "\(refusal as Any)")
            var other = try configuration("")
            other.workers.spin = 7
            #expect { try forwarder.reload(other) } throws: {
                "\($0)".hasPrefix("x.json5")
                    || "\($0)" == "the settings of the workers changed; that needs a restart"
            }
        }
    }

    @Test(arguments: [BackendChoice.packet, .xdp])
    func `A larger MTU counts from the moment it is set`(_ backend: BackendChoice) throws {
        let line = try Line("mtu")
        defer { line.lab.close() }
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(backend, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"]))
            for (space, name) in [
                (line.relay, "near"), (line.camera, "cam0"), (line.relay, "far"), (line.screen, "scr0"),
            ] {
                try space.run("ip", "link", "set", name, "mtu", "1650")
            }
            try line.send(1600, to: "10.1.0.2")
            try Self.attend(forwarder) { forwarder.status().sent >= 3 }
            #expect(forwarder.stop().drops["too_long"] == nil)
        }
        try receiver.waitForLine(containing: "got 1600 10.1.0.2")
    }

    @Test func `An interface is the same one under another name`() throws {
        let line = try Line("rename")
        defer { line.lab.close() }
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(.packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"]))
            try line.send(100, to: "10.1.0.2")
            try Self.attend(forwarder) { forwarder.status().sent >= 3 }
            for name in ["near", "far"] {
                try line.relay.run("ip", "link", "set", name, "down")
                try line.relay.run("ip", "link", "set", name, "name", "\(name)2")
                try line.relay.run("ip", "link", "set", "\(name)2", "up")
            }
            let before = forwarder.status().sent
            try Self.attend(forwarder) { forwarder.status().sent >= before + 5 }
            #expect(forwarder.status().unreachable.isEmpty)
        }
    }

    @Test func `A host that does not answer is named, takes no room of others, and is found when it is back`()
        throws
    {
        let line = try Line("silent")
        defer { line.lab.close() }
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try line.send(100, to: "10.1.0.2")
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(.packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006", "10.2.0.9:5006"]))
            let name = "10.2.0.9:5006"
            try Self.attend(forwarder) { forwarder.status().unreachable[name] != nil }
            #expect(forwarder.status().unreachable == [name: "10.2.0.9 does not answer on far"])
            try Self.attend(forwarder) {
                forwarder.status().waiting == 0 && forwarder.status().drops["unreachable", default: 0] > 3
            }
            let before = forwarder.status()
            #expect(before.drops["unresolved"] == nil)
            try line.screen.run("ip", "address", "add", "10.2.0.9/24", "dev", "scr0")
            try Self.attend(forwarder) { forwarder.status().unreachable.isEmpty }
            // Both get their copies now.
            try Self.attend(forwarder) {
                forwarder.status().sent - before.sent > forwarder.status().accepted - before.accepted
            }
        }
        try receiver.waitForLine(containing: "got 100 10.1.0.2")
    }

    @Test func `What only passes through a host that listens at any address stays the kernel's`() throws {
        let line = try Line("transit")
        defer { line.lab.close() }
        try line.relay.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        try line.camera.run("ip", "route", "add", "default", "via", "10.1.0.2")
        try line.screen.run("ip", "route", "add", "default", "via", "10.2.0.2")
        let transit = try line.watch("10.2.0.1", port: 5004)
        let relayed = try line.watch("10.2.0.1", port: 5006)
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(.xdp, listen: "0.0.0.0:5004", to: ["10.2.0.1:5006"]))
            try line.send(100, to: "10.2.0.1")
            try line.send(200, to: "10.1.0.2")
            try Self.attend(forwarder) { forwarder.status().sent >= 3 }
            try transit.waitForLine(containing: "got 100 10.1.0.1")
            try relayed.waitForLine(containing: "got 200 10.2.0.2")
            // An address that comes later is listened to as well.
            try line.relay.run("ip", "address", "add", "10.1.0.77/24", "dev", "near")
            try line.send(300, to: "10.1.0.77")
            let before = forwarder.status().streams[0].figures.bytes
            try Self.attend(forwarder) { forwarder.status().streams[0].figures.bytes >= before + 1500 }
            try relayed.waitForLine(containing: "got 300 10.2.0.2")
        }
    }

    @Test func `An XDP program that someone else took off is told of`() throws {
        let line = try Line("takeoff")
        defer { line.lab.close() }
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(.xdp, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"]))
            try forwarder.attend()
            try line.relay.run("ip", "link", "set", "dev", "near", "xdpgeneric", "off")
            let told = Self.trouble(forwarder)
            #expect(told.hasPrefix("near: another program took our XDP program off"), "\(told)")
        }
    }

    @Test(arguments: ["239.1.2.3", "ff15::7"])
    func `A group is joined anew on an interface that was deleted and made again`(_ group: String) throws {
        let line = try Line("remade")
        defer { line.lab.close() }
        let isIPv6 = group.contains(":")
        try line.relay.enter {
            let forwarder = try Forwarder(
                Self.configuration(
                    .packet, listen: isIPv6 ? "[\(group)]:5004" : "\(group):5004",
                    to: [isIPv6 ? "[2001:db8:2::1]:5006" : "10.2.0.1:5006"], interface: "near"))
            // More often than a socket may be in groups.
            try line.relay.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/igmp_max_memberships")
            for _ in 0..<2 {
                try line.relay.run("ip", "link", "delete", "dev", "near")
                try line.lab.link(
                    line.camera, "cam0", ["10.1.0.1/24", "2001:db8:1::1/64"], line.relay, "near",
                    ["10.1.0.2/24", "2001:db8:1::2/64"])
                try Self.attend(forwarder) {
                    try line.relay.run("ip", "maddress", "show", "dev", "near").standardOutput.contains(group)
                }
            }
        }
    }

    /// What a forwarder says when it attends, within half a minute.
    static func trouble(_ forwarder: Forwarder) -> String {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            do throws(ForwarderError) { try forwarder.attend() } catch { return "\(error)" }
            usleep(20_000)
        }
        return "nothing"
    }
}
