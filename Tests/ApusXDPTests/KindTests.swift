import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// Interfaces that lie on others: their frames come in by the driver of the interface beneath.
@Suite("AF_XDP and kinds of interfaces", .requires(.root))
struct KindTests {
    /// This machine's kernel may have no bonding, so an interface is said to be one here.
    @Test(arguments: ["bond", "team"])
    func `A bond gets generic mode and the reason, or an error where native was demanded`(
        _ kind: String
    ) throws {
        let net = try Pair("bond")
        defer { net.lab.close() }
        try net.b.enter {
            var wanted = XDPOptions()
            wanted.hugePages = .never
            do {
                let interface = try XDPInterface("vb", wanted, kind: kind)
                #expect(interface.mode == .generic)
                let port = try interface.open(queue: 0)
                let feature = try #require(port.grant.features.first { $0.name == "XDP mode" })
                #expect(feature.requested == "best" && feature.granted == "generic")
                #expect(feature.reason?.contains("by the interfaces beneath the \(kind)") == true)
            }
            wanted.mode = .native
            let refused = #expect(throws: XDPError.self) { _ = try XDPInterface("vb", wanted, kind: kind) }
            #expect(refused?.cause == .aggregate(kind: kind))
            (wanted.mode, wanted.zeroCopy) = (.best, .required)
            #expect(throws: XDPError.self) { _ = try XDPInterface("vb", wanted, kind: kind) }
            // Nothing is left, and other kinds get what they got.
            (wanted.mode, wanted.zeroCopy) = (.best, .preferred)
            #expect(try XDPInterface("vb", wanted, kind: "veth").mode == .native)
            #expect(try XDPInterface("vb", wanted).mode == .native)
        }
    }

    @Test func `All queues of an interface whose driver does not tell them are found`() throws {
        let net = try Pair("macvlan", queues: 4)
        defer { net.lab.close() }
        try net.b.run(
            "ip", "link", "add", "link", "vb", "name", "m0", "address", "02:00:00:00:00:77", "numrxqueues",
            "4",
            "numtxqueues", "4", "type", "macvlan", "mode", "bridge")
        try net.b.run("ip", "link", "set", "m0", "up")
        try net.b.run("ip", "address", "add", "192.0.2.77/24", "dev", "m0")
        // The interface beneath would answer for it, with its own address.
        try net.a.run(
            "ip", "neighbor", "add", "192.0.2.77", "lladdr", "02:00:00:00:00:77", "dev", "va")
        try net.b.enter {
            let interface = try XDPInterface("m0", options(.generic) { $0.framesPerQueue = 1024 })
            #expect(interface.queueCount == 4)
            try interface.add(Endpoint("192.0.2.77:5004")!)
            let count = interface.queueCount
            var ports = try FixedArray(count: count) { try interface.open(queue: $0) }
            try net.a.run(
                ["bash", "-c", "for n in $(seq 1 256); do echo hello > /dev/udp/192.0.2.77/5004; done"])
            var received = 0
            for _ in 0..<200 where received < 256 {
                for queue in ports.indices {
                    var burst = Burst()
                    received += ports[queue].receive(into: &burst)
                }
                usleep(1000)
            }
            #expect(received == 256)
            #expect(interface.steering?.counters.passedNoSocket == 0)
        }
    }
}
