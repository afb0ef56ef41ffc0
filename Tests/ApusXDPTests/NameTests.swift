import ApusPorts
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// A name is what an interface has at the moment; what is open is the interface.
@Suite("AF_XDP and names", .requires(.root))
struct NameTests {
    @Test
    func `A renamed interface is asked for its own figures, not those of the one that has its name now`()
        throws
    {
        let net = try Pair("renamed", queues: 2)
        defer { net.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            try interface.add(Endpoint("192.0.2.2:5004")!)
            var port = try interface.open(queue: 0)
            try net.b.run("ip", "link", "set", "vb", "down")
            try net.b.run("ip", "link", "set", "vb", "name", "former")
            try net.b.run("ip", "link", "set", "former", "up")
            try net.b.run(
                "ip", "link", "add", "vb", "mtu", "2000", "numrxqueues", "4", "numtxqueues", "4", "type",
                "veth",
                "peer", "name", "other")
            _ = port.statistics()
            #expect(port.driver.maximumPacketSize == 1518)
            #expect(interface.queueCount == 2)
            let second = try interface.open(queue: 1)
            #expect(throws: XDPError.self) { _ = try interface.open(queue: 2) }
            #expect(interface.steering?.isAttached == true)
            try net.b.run("ip", "link", "set", "former", "mtu", "1400")
            _ = port.statistics()
            #expect(port.driver.maximumPacketSize == 1418)
            _ = consume second
            try net.b.run("ip", "link", "delete", "former")
            #expect(interface.queueCount == 0)
        }
    }

    @Test func `A name that is too long is no interface's`() throws {
        let net = try Pair("long")
        defer { net.close() }
        try net.b.enter {
            try net.b.run("ip", "link", "add", "fifteen-letters", "type", "veth", "peer", "name", "other")
            #expect(XDPInterface.queueCount(of: "fifteen-letters") == 1)
            #expect(XDPInterface.queueCount(of: "fifteen-letters-and-more") == 0)
        }
    }

    @Test func `Options are looked at before the program is attached`() throws {
        let net = try Pair("before")
        defer { net.close() }
        try net.b.enter {
            let held = try SteeringProgram(attachingTo: "vb", mode: .native)
            let error = #expect(throws: XDPError.self) {
                _ = try XDPInterface("vb", options(.native) { $0.receiveRing = 3 })
            }
            #expect(error?.description.contains("receiveRing is 3") == true, "\(String(describing: error))")
            _ = consume held
        }
    }

    @Test func `More frames than there are numbers are an error`() throws {
        let net = try Pair("many", queues: 2)
        defer { net.close() }
        try net.b.enter {
            let error = #expect(throws: XDPError.self) {
                _ = try XDPMemory(for: ["vb"], options(.native) { $0.framesPerQueue = .max })
            }
            #expect(error?.description.contains("vb") == true)
        }
    }

    @Test func `A port that was not handed over before another thread closed it is the cause that is told`()
        throws
    {
        let net = try Pair("handover")
        defer { net.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.generic) { $0.framesPerQueue = 1024 })
            var port: Port<XDPDriver>? = try interface.open(queue: 0)
            // Taken by this thread, which ends without having handed it over.
            do { _ = port?.makePacket() }
            let keeper = Keeper(port.take()!)
            try net.b.enter { keeper.drop() }
            try net.b.enter {
                let error = #expect(throws: XDPError.self) { _ = try interface.open(queue: 0) }
                #expect(error?.cause == .poolNotHandedOver(0))
                #expect(error?.description.contains("handOver()") == true)
            }
            // The thread itself has them still, and can open the queue again.
            _ = try interface.open(queue: 0)
        }
    }

    private final class Keeper: @unchecked Sendable {
        // Sendable: one thread fills it, and another empties it when the first waits.
        private var port: Port<XDPDriver>?
        init(_ port: consuming Port<XDPDriver>) { self.port = consume port }
        func drop() { port = nil }
    }
}
