import ApusConfig
import ApusHost
import ApusPorts
import ApusRings
import ApusWire
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("Interfaces of a forwarder", .requires(.root))
struct OpenInterfacesTests {
    /// The interface of one of two linked hosts, open for one stream.
    private func withInterfaces(
        _ purpose: String, _ backend: BackendChoice = .xdp,
        _ body: (OpenInterfaces, StreamConfiguration) throws -> Void
    ) throws {
        try withHost(purpose, backend) { interfaces, configuration, _ in
            try body(interfaces, configuration.streams[0])
        }
    }

    private func withHost(
        _ purpose: String, _ backend: BackendChoice = .xdp,
        _ body: (OpenInterfaces, ForwarderConfiguration, Namespace) throws -> Void
    ) throws {
        let net = try Pair(purpose)
        defer { net.close() }
        try net.b.enter {
            let stream = StreamConfiguration(
                listen: Endpoint("192.0.2.2:5004")!, to: [Endpoint("192.0.2.1:5004")!])
            var port = PortConfiguration(backend: backend)
            if backend == .xdp { port.mode = .generic }
            let configuration = ForwarderConfiguration(streams: [stream], defaults: port)
            let interfaces = try OpenInterfaces(["vb"], configuration: configuration, host: HostView())
            defer { interfaces.close() }
            try body(interfaces, configuration, net.b)
        }
    }

    @Test("endpoints that could not all be taken are given back: the kernel has their packets as before")
    func rollBack() throws {
        try withInterfaces("rollback") { interfaces, _ in
            // One more than the program's map has room for.
            #expect(throws: ForwarderError.self) { try interfaces.serve(endpoints(10, 65_537)) }
            // As many as there is room for: nothing of the others is left.
            try interfaces.serve(endpoints(11, 65_536))
        }
    }

    @Test("as many endpoints as there is room for can be exchanged for others, one or all of them")
    func exchange() throws {
        try withInterfaces("exchange") { interfaces, stream in
            let all = endpoints(10, 65_536)
            try interfaces.serve(all)
            try interfaces.serve(all.dropFirst() + [stream.listen])
            try interfaces.serve(endpoints(11, 65_536))
            // One too many leaves those that were there: exactly as many fit as before.
            #expect(throws: ForwarderError.self) { try interfaces.serve(endpoints(11, 65_537)) }
            try interfaces.serve(endpoints(11, 65_535) + [stream.listen])
        }
    }

    @Test(
        "a deletion that was lost among the news is found when all is read anew, though the index is the same",
        arguments: [BackendChoice.xdp, .packet])
    func lostDeletion(_ backend: BackendChoice) throws {
        try withHost("lostdel", backend) { interfaces, _, space in
            var anew = HostChanges()
            anew.isResynchronized = true
            #expect(interfaces.giveUpDeleted(anew, on: try HostView()) == [])
            let address = try #require(try HostView().link(named: "vb").macAddress)
            try makeAgain(in: space, index: interfaces.indices[0])
            // As container runtimes do.
            try space.run("ip", "link", "set", "dev", "vb", "address", "\(address)")
            #expect(interfaces.giveUpDeleted(anew, on: try HostView()) == [0])
        }
    }

    @Test("an interface of whose deletion the news are still to come is no reason to restart")
    func deletedMeanwhile() throws {
        try withHost("meanwhile") { interfaces, _, space in
            let host = try HostView()
            try space.run("ip", "link", "delete", "dev", "vb")
            #expect(interfaces.check(on: host) == nil)
            try add(in: space, index: interfaces.indices[0])
            #expect(interfaces.check(on: host) == nil)
        }
    }

    @Test("an interface is opened once a second at most, also after it could be opened")
    func onceASecond() throws {
        try withHost("once") { interfaces, configuration, space in
            try makeAgain(in: space, index: interfaces.indices[0] + 100)
            let host = try HostView()
            #expect(interfaces.giveUpDeleted(HostChanges(), on: host) == [0])
            #expect(interfaces.dueToOpen(on: host) == [0])
            let next = try #require(interfaces.nextTries[0])
            #expect(next > Clock.monotonic &- 1_000_000_000)
            interfaces.nextTries[0] = .max
            _ = try interfaces.reopen(0, configuration, on: host)
            try makeAgain(in: space, index: interfaces.indices[0] + 1)
            let later = try HostView()
            #expect(interfaces.giveUpDeleted(HostChanges(), on: later) == [0])
            #expect(interfaces.dueToOpen(on: later) == [])
        }
    }

    @Test("an interface without Ethernet is refused to streams that listen there, and when one is open again")
    func noEthernet() throws {
        try withHost("tun") { interfaces, configuration, space in
            try space.run("ip", "link", "delete", "dev", "vb")
            try space.run("ip", "tuntap", "add", "dev", "vb", "mode", "tun")
            try space.run("ip", "link", "set", "dev", "vb", "up")
            try space.run("ip", "address", "add", "192.0.2.2/24", "dev", "vb")
            let host = try HostView()
            var message = ""
            do { _ = try HostCheck.interfaces(for: configuration, on: host) } catch { message = "\(error)" }
            #expect(message.contains("the interface vb carries no Ethernet frames"), "\(message)")
            #expect(interfaces.giveUpDeleted(HostChanges(), on: host) == [0])
            do {
                _ = try interfaces.reopen(0, configuration, on: host)
                Issue.record("it is open")
            } catch {
                #expect("\(error)".contains("carries no Ethernet frames"))
            }
        }
    }

    private func makeAgain(in space: Namespace, index: Int32) throws {
        try space.run("ip", "link", "delete", "dev", "vb")
        try add(in: space, index: index)
    }

    private func add(in space: Namespace, index: Int32) throws {
        try space.run(
            "ip", "link", "add", "name", "vb", "index", "\(index)", "type", "veth", "peer", "name", "vc")
        for name in ["vb", "vc"] { try space.run("ip", "link", "set", "dev", name, "up") }
    }

    private func endpoints(_ network: UInt32, _ count: Int) -> [Endpoint] {
        (0..<count).map {
            Endpoint(.v4(IPv4Address(bits: network << 24 | UInt32($0 >> 8))), port: UInt16($0 & 255) + 1)
        }
    }
}
