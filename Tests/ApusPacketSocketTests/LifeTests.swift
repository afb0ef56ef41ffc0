import ApusPacketSocket
import ApusPorts
import ApusRings
import CCapNG
import Glibc
import NetworkLab
import Testing

@Suite("Opening, and what happens to the interface meanwhile", .requires(.root), .timeLimit(.minutes(5)))
struct LifeTests {
    private func error(opening name: String, _ change: (inout PacketSocketOptions) -> Void = { _ in })
        -> PacketSocketError?
    {
        var options = PacketSocketOptions()
        change(&options)
        return #expect(throws: PacketSocketError.self) { try PacketSocketInterface(name, options: options) }
    }

    @Test("what can't be opened is refused with its name, the cause and the way out")
    func errors() throws {
        let scene = try Scene("errors")
        defer { scene.close() }
        try scene.b.run("ip", "link", "add", "down0", "type", "veth", "peer", "name", "down1")
        try scene.b.run("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
        try scene.b.enter {
            let missing = try #require(error(opening: "eth9"))
            #expect(missing.description.hasPrefix("interface \"eth9\" does not exist; there are: lo, "))
            for name in ["vb", "down0", "down1", "tun0"] { #expect(missing.description.contains(name)) }
            #expect(
                error(opening: "an-interface-with-a-long-name")?.description.contains("does not exist")
                    == true)
            #expect(error(opening: "")?.description.contains("does not exist") == true)
            let tun = try #require(error(opening: "tun0"))
            #expect(tun == .notEthernet("tun0", type: 65534))
            let down = try #require(error(opening: "down0") { $0.workers = 2 })
            #expect(down.description.contains("ip link set dev down0 up"))
            #expect(
                error(opening: "vb") { $0.workers = 0 }?.description
                    == "option workers is 0, but must be from 1 to 256")
            #expect(
                error(opening: "vb") { $0.transmitSlots = 1000 }?.description.contains("a power of two")
                    == true)
            for ring: PacketSocketReceiveRing in [
                .slots(count: 8), .slots(count: 100), .slots(count: 131072),
                .blocks(size: 2048, count: 64, timeout: 1),
                .blocks(size: 65536, count: 1, timeout: 1), .blocks(size: 65536, count: 64, timeout: 0),
                .blocks(size: 4 << 20, count: 4096, timeout: 1),
            ] {
                #expect(
                    error(opening: "vb") { $0.receiveRing = ring }?.description.contains("must be") == true)
            }
        }
    }

    /// Leaves the calling thread, which must be one of the test's own, with these capabilities only.
    private func keep(_ capabilities: [String]) {
        capng_clear(CAPNG_SELECT_CAPS)
        for name in capabilities {
            let number = unsafe capng_name_to_capability(name)
            let types = capng_type_t(rawValue: CAPNG_EFFECTIVE.rawValue | CAPNG_PERMITTED.rawValue)
            #expect(capng_update(CAPNG_ADD, types, UInt32(number)) == 0)
        }
        #expect(capng_apply(CAPNG_SELECT_CAPS) == 0)
    }

    @Test("CAP_NET_RAW is all it needs, and without it the error names it and the command")
    func privileges() throws {
        let scene = try Scene("privileges")
        defer { scene.close() }
        let refused = try scene.b.enter {
            keep(["net_admin", "sys_admin", "bpf", "net_bind_service"])
            return error(opening: "vb")
        }
        let text = try #require(refused).description
        #expect(text.contains("need the capability CAP_NET_RAW"))
        #expect(text.contains("setcap cap_net_raw+ep /"))
        let capture = try Capture(on: "va", in: scene.a)
        try scene.send([Datagram().frame])
        // Everything that can be asked for.
        try scene.b.enter {
            keep(["net_raw"])
            var options = PacketSocketOptions()
            options.workers = 2
            options.promiscuous = true
            options.bypassesQueueing = true
            options.timestamps = .hardware
            options.filter = .udpPorts([5004])
            let interface = try PacketSocketInterface("vb", options: options)
            var port = try interface.makePort(
                worker: 1, pool: FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64))
            try interface.setFilter(.udpPorts([5006]))
            port.send([Datagram().frame])
            #expect(port.statistics().sent == 1)
        }
        expectSame(try capture.frames(1), [Datagram().frame])
    }

    @Test(
        "traffic goes on when the interface was down and is up again, and waiting does not spin",
        arguments: rings)
    func downAndUp(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("downup")
        defer { scene.close() }
        var port = try scene.port { $0.receiveRing = ring }
        try scene.send([Datagram(payload: [1]).frame])
        #expect(port.frames(1).count == 1)
        for round in 1...2 {
            try scene.b.run("ip", "link", "set", "vb", "down")
            #expect(spins(&port) < 600)
            #expect(port.driver.timesDown == UInt64(round))
            #expect(port.driver.isDetached == false)
            try scene.b.run("ip", "link", "set", "vb", "up")
            let frame = Datagram(payload: [2, UInt8(round)]).frame
            try scene.send([frame])
            expectSame(port.frames(1), [frame])
        }
    }

    /// How often a loop that waits a tenth of a second for packets goes round in half a second.
    private func spins(_ port: inout Port<PacketSocketDriver>) -> Int {
        var burst = Burst()
        var rounds = 0
        let end = ContinuousClock.now + .milliseconds(500)
        while ContinuousClock.now < end {
            #expect(port.receive(into: &burst) == 0)
            port.flush()
            port.wait(milliseconds: 100)
            rounds += 1
        }
        return rounds
    }

    @Test("an interface that is deleted is said to be gone: nothing spins, sending is refused and counted")
    func deleted() throws {
        let scene = try Scene("deleted")
        defer { scene.close() }
        let interface = try scene.open { $0.workers = 2 }
        var port = try interface.makePort(
            pool: FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64))
        // The peer's end takes ours with it.
        try scene.a.run("ip", "link", "del", "va")
        #expect(spins(&port) < 600)
        #expect(port.driver.isDetached == true)
        port.send([Datagram().frame, Datagram().frame])
        let statistics = port.statistics()
        #expect(statistics.drops[.sendRefused] == 2)
        #expect(statistics.sent == 0)
        #expect(port.driver.pool.free == 64)
        #expect(spins(&port) < 10)
        try interface.setFilter(.allUDP)
    }

    @Test("a port outlives its interface object and serves on")
    func outliving() throws {
        let scene = try Scene("outliving")
        defer { scene.close() }
        var port = try scene.port()
        try scene.send([Datagram().frame])
        expectSame(port.frames(1), [Datagram().frame])
    }

    @Test("no socket is left when a port is dropped, though its interface object is still there")
    func cleanUp() throws {
        let scene = try Scene("cleanup")
        defer { scene.close() }
        let interface = try scene.open()
        func open() throws {
            let pool = try FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64)
            let port = try interface.makePort(pool: pool)
            #expect(try sockets(scene) == 2)
            _ = consume port
        }
        try open()
        #expect(try sockets(scene) == 0)
        try interface.setFilter(.nothing)
    }

    /// Packet sockets that exist in our namespace.
    private func sockets(_ scene: Scene) throws -> Int {
        try scene.b.run("cat", "/proc/net/packet").standardOutput.split(separator: "\n").count - 1
    }
}
