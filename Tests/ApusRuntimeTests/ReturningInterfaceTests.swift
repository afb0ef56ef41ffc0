import ApusConfig
import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// Interfaces that are deleted under a forwarder and made again: what `ip link` does to them is real.
@Suite("An interface that is deleted and made again", .requires(.root), .timeLimit(.minutes(3)))
struct ReturningInterfaceTests {
    typealias Line = ForwarderNetworkTests.Line

    /// A forwarder that is attended to, and what it has told. Its totals may never run backwards.
    private final class Watched {
        let forwarder: Forwarder
        private(set) var told: [String] = []
        private(set) var status: ForwarderStatus

        init(_ configuration: ForwarderConfiguration) throws {
            forwarder = try Forwarder(configuration)
            status = forwarder.status()
        }

        /// Attends until a condition holds, for half a minute at most. Whatever it complains of is an issue.
        func attend(_ what: Comment, until condition: (ForwarderStatus) throws -> Bool) throws {
            let deadline = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < deadline {
                try forwarder.attend()
                told += forwarder.takeNews().map { "\($0)" }
                let next = forwarder.status()
                #expect(next.received >= status.received && next.sent >= status.sent)
                for port in status.ports {
                    let same = next.ports.first {
                        ($0.interface, $0.queue, $0.backend) == (port.interface, port.queue, port.backend)
                    }
                    #expect(same != nil && same!.received >= port.received && same!.sent >= port.sent)
                }
                for steering in status.steering {
                    let same = next.steering.first { $0.interface == steering.interface }
                    #expect(same != nil && same!.steered >= steering.steered)
                }
                status = next
                if try condition(status) { return }
                usleep(20_000)
            }
            Issue.record("\(what) did not come about; \(status), told \(told)")
        }

        func isOpen(_ name: String) -> Bool { status.interfaces.first { $0.name == name }!.isOpen }
        func received(_ name: String) -> UInt64 {
            status.ports.reduce(0) { $0 + ($1.interface == name ? $1.received : 0) }
        }
    }

    private func configuration(
        _ backend: BackendChoice, _ streams: [(listen: String, to: String)], queues: Int? = nil
    ) -> ForwarderConfiguration {
        var port = PortConfiguration()
        (port.backend, port.ringSize, port.queues) = (backend, 256, queues)
        if backend == .xdp { port.mode = .native }
        return ForwarderConfiguration(
            streams: streams.map {
                StreamConfiguration(name: $0.listen, listen: Endpoint($0.listen)!, to: [Endpoint($0.to)!])
            },
            interfaces: ["near", "far"].map { InterfaceConfiguration(name: $0, port: port) })
    }

    /// Sends a datagram fifty times a second for as long as the lab is there, whether there is a way or not.
    private func sendOn(_ line: Line, port: Int = 5004) throws {
        let script = """
            import socket, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for i in range(6000):
                try: s.sendto(bytes(100), ('10.1.0.2', \(port)))
                except OSError: pass
                time.sleep(0.02)
            """
        _ = try line.camera.start(["python3", "-c", script])
    }

    private func makeAgain(_ name: String, on line: Line, queues: Int = 1) throws {
        if name == "near" {
            try line.lab.link(
                line.camera, "cam0", ["10.1.0.1/24"], line.relay, "near", ["10.1.0.2/24"], queues: queues)
        } else {
            try line.lab.link(
                line.relay, "far", ["10.2.0.2/24"], line.screen, "scr0", ["10.2.0.1/24"], queues: queues)
        }
    }

    @Test(arguments: [BackendChoice.packet, .xdp, .auto], ["near", "far"])
    func `Traffic flows again, and the loss and the return are told in a line each`(
        _ backend: BackendChoice, _ name: String
    ) throws {
        let line = try Line("return")
        defer { line.lab.close() }
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try sendOn(line)
        try line.relay.enter {
            let watched = try Watched(configuration(backend, [("10.1.0.2:5004", "10.2.0.1:5006")]))
            let granted = watched.status.ports.map(\.backend)
            for cycle in 1...3 {
                let before = watched.status
                try watched.attend("traffic") { $0.sent >= before.sent + 5 }
                try line.relay.run("ip", "link", "delete", "dev", name)
                try watched.attend("the loss") { _ in !watched.isOpen(name) }
                // The one that streams listen on is what the forwarder can't be without.
                #expect(HealthReport(watched.status).code == 503)
                let reasons = HealthReport(watched.status).reasons
                #expect(name == "far" || reasons.contains("near: no interface of that name"), "\(reasons)")
                #expect(name == "near" || watched.status.unreachable["10.2.0.1:5006"] != nil)
                let gone = watched.received(name)
                #expect(watched.told.count == 2 * cycle - 1)
                #expect(watched.told.last!.hasPrefix("\(name) is gone"))

                try makeAgain(name, on: line)
                try watched.attend("the return") { _ in watched.isOpen(name) }
                #expect(watched.told.count == 2 * cycle, "\(watched.told)")
                #expect(watched.told.last!.hasPrefix("\(name) is back and open again over \(granted[0])"))
                #expect(watched.received(name) >= gone)
            }
            let back = watched.status
            try watched.attend("traffic") { $0.sent >= back.sent + 20 }
            #expect(watched.status.ports.map(\.backend) == granted)
            try watched.attend("a way") { HealthReport($0).code == 200 && $0.unreachable.isEmpty }
            let lines = receiver.lines.count
            try watched.attend("arrival") { _ in receiver.lines.count >= lines + 10 }
            let last = watched.forwarder.stop()
            #expect(last.received == last.accepted + refusals(last))
            #expect(last.copies == last.sent + losses(last), "\(last)")
        }
    }

    private func losses(_ status: ForwarderStatus) -> UInt64 {
        status.drops.reduce(0) { $0 + (isLoss($1.key) ? $1.value : 0) }
    }
    private func refusals(_ status: ForwarderStatus) -> UInt64 {
        status.drops.reduce(0) { $0 + (isLoss($1.key) ? 0 : $1.value) }
    }
    private func isLoss(_ name: String) -> Bool {
        [
            "unresolved", "unreachable", "transmit_ring_full", "too_long", "waiting_queue_full",
            "stream_removed",
        ]
        .contains(name)
    }

    @Test(arguments: [BackendChoice.packet, .xdp])
    func `Streams by other interfaces lose no packet meanwhile`(_ backend: BackendChoice) throws {
        let line = try Line("others")
        defer { line.lab.close() }
        try line.relay.enter {
            let watched = try Watched(
                configuration(
                    backend, [("10.1.0.2:5004", "10.2.0.1:5006"), ("10.2.0.2:5010", "10.2.0.1:5012")]))
            // Both ends are at the screen, so that one process can count.
            let script = """
                import socket, threading, time
                r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('10.2.0.1', 5012))
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                r.settimeout(10); s.sendto(b'first', ('10.2.0.2', 5010)); r.recv(99)
                print('flows', flush=True)
                got = set()
                # Not more at a time than the rings of the forwarder hold, whose process may have to wait for its turn.
                def send():
                    for i in range(4000):
                        since = time.monotonic()
                        while i - len(got) > 100 and time.monotonic() - since < 5: time.sleep(0.001)
                        s.sendto(b'%d' % i, ('10.2.0.2', 5010)); time.sleep(0.001)
                threading.Thread(target=send).start()
                try:
                    while len(got) < 4000: got.add(r.recv(99))
                except socket.timeout: pass
                print('came', len(got), flush=True)
                """
            let both = try line.screen.start(["python3", "-c", script])
            try watched.attend("a flow") { _ in both.lines.contains("flows") }
            for _ in 0..<3 {
                try line.relay.run("ip", "link", "delete", "dev", "near")
                try watched.attend("the loss") { _ in !watched.isOpen("near") }
                try makeAgain("near", on: line)
                try watched.attend("the return") { _ in watched.isOpen("near") }
            }
            try watched.attend("the end") { _ in both.lines.contains { $0.hasPrefix("came") } }
            #expect(both.lines.last == "came 4000", "\(watched.status)")
        }
    }

    @Test(arguments: [BackendChoice.packet, .xdp])
    func `The only interface may go and come back, also with the index it had`(_ backend: BackendChoice)
        throws
    {
        let line = try Line("only")
        defer { line.lab.close() }
        let script = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(('10.1.0.1', 5006)); print('bound', flush=True)
            while True: s.recv(99); print('got', flush=True)
            """
        let receiver = try line.camera.start(["python3", "-c", script])
        try receiver.waitForLine(containing: "bound")
        try sendOn(line)
        try line.relay.enter {
            var near = configuration(backend, [("10.1.0.2:5004", "10.1.0.1:5006")])
            near.interfaces.removeLast()
            let watched = try Watched(near)
            try watched.attend("traffic") { $0.sent >= 5 }
            let index = try watched.forwarder.host.link(named: "near").index
            for isMoved in [false, true] {
                // To another namespace and back, which is a deletion here.
                if isMoved {
                    let now = try watched.forwarder.host.link(named: "near").index
                    #expect(now != index)
                    try line.relay.run("ip", "link", "set", "near", "netns", "\(line.screen.pid)")
                    try line.screen.run("ip", "link", "set", "near", "netns", "\(line.relay.pid)")
                    try line.relay.run("ip", "link", "set", "near", "up")
                    try line.relay.run("ip", "address", "add", "10.1.0.2/24", "dev", "near")
                    try watched.attend("the return") { _ in watched.told.count == 4 }
                    #expect(try watched.forwarder.host.link(named: "near").index == now)
                } else {
                    try line.relay.run("ip", "link", "delete", "dev", "near")
                    try watched.attend("the loss") { _ in !watched.isOpen("near") }
                    #expect(HealthReport(watched.status).reasons.contains("no port is open"))
                    try makeAgain("near", on: line)
                    try watched.attend("the return") { _ in watched.isOpen("near") }
                }
                let lines = receiver.lines.count
                try watched.attend("arrival") { _ in receiver.lines.count >= lines + 10 }
            }
        }
    }

    @Test func `One that is open under another name is not opened twice`() throws {
        let line = try Line("swap")
        defer { line.lab.close() }
        try line.relay.enter {
            let watched = try Watched(configuration(.packet, [("10.1.0.2:5004", "10.2.0.1:5006")]))
            for name in ["near", "far"] { try line.relay.run("ip", "link", "set", name, "down") }
            for (old, new) in [("near", "other"), ("far", "near"), ("other", "far")] {
                try line.relay.run("ip", "link", "set", old, "name", new)
            }
            for name in ["near", "far"] { try line.relay.run("ip", "link", "set", name, "up") }
            // It was opened as `near`.
            try line.relay.run("ip", "link", "delete", "dev", "far")
            try watched.attend("the reason") {
                $0.interfaces[0].reason == "near is the interface that was opened as far"
            }
            #expect(watched.told.count == 1 && !watched.isOpen("near") && watched.isOpen("far"))
        }
    }

    @Test func `A worker whose interfaces are all gone sleeps`() {
        var none = FixedArray<Port<MemoryDriver>>(count: 0) { _ in preconditionFailure("there are none") }
        var idler = Idler(IdlePolicy(spin: 50, sleep: 10), watching: none)
        func used() -> Int {
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        let (before, start) = (used(), ContinuousClock.now)
        while ContinuousClock.now < start + .milliseconds(500) { idler.rest(&none) }
        #expect(used() - before < 100_000_000)
    }

    @Test func `One that can't be opened is told of once, until the reason is another one`() throws {
        let line = try Line("refused")
        defer { line.lab.close() }
        try line.relay.enter {
            let watched = try Watched(configuration(.xdp, [("10.1.0.2:5004", "10.2.0.1:5006")], queues: 1))
            try line.relay.run("ip", "link", "delete", "dev", "near")
            try watched.attend("the loss") { _ in !watched.isOpen("near") }
            // What needs it can't be taken up meanwhile.
            let more = configuration(
                .xdp, [("10.1.0.2:5004", "10.2.0.1:5006"), ("10.1.0.2:5008", "10.2.0.1:5008")], queues: 1)
            #expect(throws: ForwarderError.self) { try watched.forwarder.reload(more) }
            try makeAgain("near", on: line, queues: 4)
            let start = ContinuousClock.now
            try watched.attend("three tries") { _ in ContinuousClock.now > start + .milliseconds(3500) }
            #expect(watched.told.count == 2, "\(watched.told)")
            #expect(watched.told.last!.contains("has 4 receive queues now, and needs 1"))
            #expect(watched.status.interfaces[0].reason!.contains("has 4 receive queues now"))
            // Down is a reason for which nothing is tried.
            try line.relay.run("ip", "link", "set", "near", "down")
            try watched.attend("the reason") { $0.interfaces[0].reason == "there again, but down" }
            try line.camera.run("ethtool", "-L", "cam0", "rx", "1", "tx", "1")
            try line.relay.run("ethtool", "-L", "near", "rx", "1", "tx", "1")
            try line.relay.run("ip", "link", "set", "near", "up")
            try watched.attend("the return") { _ in watched.isOpen("near") }
            #expect(
                watched.told.count == 3 && watched.told.last!.hasPrefix("near is back"), "\(watched.told)")
            try watched.forwarder.reload(more)
            try sendOn(line, port: 5008)
            try watched.attend("traffic") { $0.streams.count == 2 && $0.streams[1].figures.sent >= 5 }
        }
    }

    @Test func `AF_PACKET takes the place of AF_XDP where that can't be had again, beside the other`() throws
    {
        let line = try Line("fallback")
        defer { line.lab.close() }
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try sendOn(line)
        try line.relay.enter {
            let watched = try Watched(configuration(.auto, [("10.1.0.2:5004", "10.2.0.1:5006")]))
            #expect(watched.status.ports.map(\.backend) == ["xdp", "xdp"])
            try watched.attend("traffic") { $0.sent >= 5 }
            for _ in 0..<2 {
                try line.relay.run("ip", "link", "delete", "dev", "near")
                try watched.attend("the loss") { _ in !watched.isOpen("near") }
                try makeBusy(line)
                try watched.attend("the return") { _ in watched.isOpen("near") }
                #expect(
                    watched.told.last!.hasPrefix(
                        "near is back and open again over packet; backend packet: no AF_XDP"))
                let back = watched.status
                try watched.attend("traffic") { $0.sent >= back.sent + 5 }
            }
            // And the other way round: both are there, so that what was there before goes on as well.
            try line.relay.run("ip", "link", "delete", "dev", "near")
            try watched.attend("the loss") { _ in !watched.isOpen("near") }
            try makeAgain("near", on: line)
            try watched.attend("the return") { _ in watched.isOpen("near") }
            #expect(watched.told.last!.hasPrefix("near is back and open again over xdp"), "\(watched.told)")
            let lines = receiver.lines.count
            try watched.attend("arrival") { _ in receiver.lines.count >= lines + 10 }
        }
    }

    /// Makes `near` anew, with an XDP program on it before it is up that was not loaded by libxdp, beside which ours
    /// can't be.
    private func makeBusy(_ line: Line) throws {
        let relay = line.relay
        try relay.run(
            "ip", "link", "add", "name", "near", "type", "veth", "peer", "name", "cam0", "netns",
            "\(line.camera.pid)")
        try relay.run(
            "ip", "link", "set", "dev", "near", "xdpdrv", "object",
            "/usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog_5.3.o", "section", "xdp")
        for (space, name, address) in [(line.camera, "cam0", "10.1.0.1/24"), (relay, "near", "10.1.0.2/24")] {
            try space.run("ip", "link", "set", "dev", name, "up")
            try space.run("ip", "address", "add", address, "dev", name)
        }
    }
}

extension Running {
    /// The lines that it has written.
    fileprivate var lines: [Substring] { output.split(separator: "\n") }
}
