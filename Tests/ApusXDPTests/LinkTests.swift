import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

@Suite("AF_XDP and links", .requires(.root))
struct LinkTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `A link that goes down and up again carries on, and nothing hangs meanwhile`(_ mode: XDPMode) throws
    {
        try withPort("updown", options(mode)) { port, wire, _, net in
            let inside = port.driver.framesInside
            try wire.send(Numbered.frame(1))
            expectEqual(port.receive(1), [Numbered.frame(1)])
            try net.b.run("ip", "link", "set", "vb", "down")
            var burst = Burst()
            for number in 0..<64 {
                var packet = port.makePacket()!
                packet.fill(Numbered.frame(number))
                burst.append(packet)
            }
            port.transmit(&burst)
            port.flush()
            port.wait(milliseconds: 10)
            try net.b.run("ip", "link", "set", "vb", "up")
            for _ in 0..<100 where wire.receiveOurs(within: 50) == nil {
                burst.removeAll()
                port.send([Numbered.frame(2)])
            }
            try wire.send(Numbered.frame(3))
            #expect(port.receive(100).contains(Numbered.frame(3)))
            port.settle(inside: inside)
            burst.removeAll()
            #expect(port.driver.framesInside == inside)
            #expect(port.driver.pool.free == 8192 - inside)
        }
    }

    @Test(arguments: [XDPMode.native, .generic])
    func `What can't leave as the link is down is dropped by name, and leaves no later`(
        _ mode: XDPMode
    ) throws {
        try withPort("stale", options(mode)) { port, wire, _, net in
            let inside = port.driver.framesInside
            var burst = Burst()
            func fill(_ burst: inout Burst, _ port: inout Port<XDPDriver>) {
                while burst.room > 0, var packet = port.makePacket() {
                    packet.fill(Numbered.frame(1))
                    burst.append(packet)
                }
            }
            // In the TX ring already when the link goes down.
            fill(&burst, &port)
            #expect(port.transmit(&burst) == 64)
            try net.b.run("ip", "link", "set", "vb", "down")
            // More than the TX ring has entries.
            for _ in 0..<50 {
                port.flush()
                #expect(port.driver.framesInside == inside)
                fill(&burst, &port)
                #expect(port.transmit(&burst) == 64)
            }
            port.flush()
            let down = port.statistics()
            #expect(down.sent == 0 && down.sentBytes == 0)
            #expect(down.drops[.linkDown] == 51 * 64 && down.drops.total == 51 * 64)

            try net.b.run("ip", "link", "set", "vb", "up")
            for _ in 0..<3 {
                port.flush()
                #expect(wire.receiveAll() == [])
            }
            var offered = 0
            for _ in 0..<100 {
                port.send([Numbered.frame(2)])
                offered += 1
                if let frame = wire.receiveOurs(within: 50) {
                    expectEqual([frame], [Numbered.frame(2)])
                    break
                }
            }
            port.send((0..<100).map { Numbered.frame($0) })
            expectEqual(wire.receiveAll(), (0..<100).map { Numbered.frame($0) })
            port.settle(inside: inside)
            let up = port.statistics()
            #expect(up.sent + up.drops.total == UInt64(51 * 64 + offered + 100))
            #expect(up.drops[.invalidDescriptor] == 0, "what was withdrawn is not counted twice")
            #expect(port.driver.framesInside == inside && port.driver.pool.free == 8192 - inside)
        }
    }

    @Test(arguments: [XDPMode.native, .generic])
    func `What the device drops as it has no carrier is not among what was sent, packets or octets`(
        _ mode: XDPMode
    ) throws {
        try withPort("nocarrier", options(mode), mtu: 9000) { port, wire, _, net in
            let inside = port.driver.framesInside
            port.send((0..<8).map { Numbered.frame($0, length: 100) })
            expectEqual(wire.receiveAll(), (0..<8).map { Numbered.frame($0, length: 100) })
            port.settle(inside: inside)
            // The other end goes down: this one is up, but has no carrier, and sendto(2) says EBUSY.
            try net.a.run("ip", "link", "set", "va", "down")
            port.send((0..<64).map { Numbered.frame($0, length: 64 + $0) })
            port.settle(inside: inside)
            let dark = port.statistics()
            #expect(dark.sent == 8 && dark.sentBytes == 800, "\(dark)")
            #expect(dark.drops[.sendRefused] == 64 && dark.drops.total == 64)

            try net.a.run("ip", "link", "set", "va", "up")
            for number in 0..<100 {
                port.send([Numbered.frame(number, length: 100)])
                if wire.receiveOurs(within: 50) != nil { break }
            }
            port.settle(inside: inside)
            let lit = port.statistics()
            #expect(lit.sent > 8 && lit.sentBytes == lit.sent * 100)
            #expect(port.driver.framesInside == inside && port.driver.pool.free == 8192 - inside)
        }
    }

    @Test func `Of a packet in several frames that the device drops, all octets are taken back`() throws {
        try withPort("nocarrierjumbo", options(.native), mtu: 9000) { port, wire, _, net in
            if try port.lacksMultiBuffer() { return }
            let inside = port.driver.framesInside
            var burst = try port.receiveJumbos(from: wire)
            try net.a.run("ip", "link", "set", "va", "down")
            #expect(port.transmit(&burst) == 4)
            port.flush()
            port.send([Numbered.frame(4, length: 200)])
            port.settle(inside: inside)
            let dark = port.statistics()
            #expect(dark.sent == 0 && dark.sentBytes == 0 && dark.drops[.sendRefused] == 5, "\(dark)")
            _ = port.receive(into: &burst)
            #expect(port.driver.framesInside == inside && port.driver.pool.free == 8192 - inside)
        }
    }

    @Test func `Of a packet in several frames, all are taken back while the link is down`() throws {
        try withPort("stalejumbo", options(.native), mtu: 9000) { port, wire, _, net in
            if try port.lacksMultiBuffer() { return }
            let inside = port.driver.framesInside
            var burst = try port.receiveJumbos(from: wire)
            #expect(port.transmit(&burst) == 4)
            try net.b.run("ip", "link", "set", "vb", "down")
            port.flush()
            let down = port.statistics()
            #expect(down.sent == 0 && down.sentBytes == 0 && down.drops[.linkDown] == 4)
            _ = port.receive(into: &burst)
            #expect(port.driver.framesInside == inside && port.driver.pool.free == 8192 - inside)
            try net.b.run("ip", "link", "set", "vb", "up")
            port.flush()
            #expect(wire.receiveAll() == [])
        }
    }

    @Test(arguments: [XDPMode.native, .generic])
    func `A larger MTU is noticed, jumbo frames pass in segments, a smaller one is noticed too`(
        _ mode: XDPMode
    ) throws {
        try withPort("mtu", options(mode)) { port, wire, _, net in
            let inside = port.driver.framesInside
            #expect(port.driver.maximumPacketSize == 1518)
            if try port.lacksMultiBuffer() { return }
            for (space, name) in [(net.a, "va"), (net.b, "vb")] {
                try space.run("ip", "link", "set", name, "mtu", "9000")
            }
            _ = port.statistics()
            #expect(port.driver.maximumPacketSize == 9018)
            var burst = Burst()
            for length in stride(from: 1000, through: 9000, by: 250) {
                let frame = Numbered.frame(length, length: length)
                try wire.send(frame)
                port.wait(milliseconds: 1000)
                #expect(port.receive(into: &burst) == 1)
                #expect(burst[0].totalCount == length)
                #expect(burst[0].segmentCount == (length + 1727) / 1728)
                #expect(port.transmit(&burst) == 1)
                port.flush()
                let back = wire.receiveOurs() == frame
                #expect(back, "\(length) octets")
            }
            port.settle(inside: inside)
            #expect(port.statistics().drops.total == 0)
            _ = port.receive(into: &burst)
            #expect(port.driver.framesInside == inside && port.driver.pool.free == 8192 - inside)

            for (space, name) in [(net.a, "va"), (net.b, "vb")] {
                try space.run("ip", "link", "set", name, "mtu", "1500")
            }
            _ = port.statistics()
            var packet = port.makePacket()!
            packet.fill(Numbered.frame(1, length: 1600))
            burst.append(packet)
            #expect(port.transmit(&burst) == 1)
            #expect(port.statistics().drops[.tooLong] == 1)
        }
    }

    @Test func `Native mode takes an MTU of 9000, as the program takes fragments`() throws {
        let net = try Pair("bigmtu", mtu: 9000)
        defer { net.lab.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.native))
            #expect(interface.mode == .native && interface.steering?.grant.takesFragments == true)
        }
    }

    @Test func `All queues can be opened, and each datagram arrives by one of them`() throws {
        let net = try Pair("queues", queues: 4)
        defer { net.lab.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            #expect(interface.queueCount == 4)
            try interface.add(Endpoint("192.0.2.2:5004")!)
            var ports = try FixedArray(count: 4) { try interface.open(queue: $0) }
            // Many flows, so that the kernel's hash picks each queue of va.
            try net.a.run(
                [
                    "bash", "-c",
                    "for port in $(seq 1 256); do echo hello > /dev/udp/192.0.2.2/5004; done",
                ])
            var counts = [0, 0, 0, 0]
            for _ in 0..<200 where counts.reduce(0, +) < 256 {
                for queue in ports.indices {
                    var burst = Burst()
                    counts[queue] += ports[queue].receive(into: &burst)
                    for index in 0..<burst.count { #expect(burst[index].queue == UInt16(queue)) }
                }
                usleep(1000)
            }
            #expect(counts.reduce(0, +) == 256)
            #expect(counts.filter { $0 > 0 }.count > 1, "\(counts)")
            #expect(interface.steering?.counters.steered == 256)
            let error = #expect(throws: XDPError.self) { _ = try interface.open(queue: 4) }
            #expect(error?.cause == .noSuchQueue(4, queues: 4))
            let busy = #expect(throws: XDPError.self) { _ = try interface.open(queue: 2) }
            #expect(busy?.cause == .queueBusy(2))
        }
    }

    @Test func `A queue without a port leaves its datagrams to the kernel`() throws {
        let net = try Pair("noport", queues: 2)
        defer { net.lab.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            try interface.add(Endpoint("192.0.2.2:5004")!)
            let port = try interface.open(queue: 1)
            try net.a.run(
                ["bash", "-c", "for port in $(seq 1 64); do echo hello > /dev/udp/192.0.2.2/5004; done"])
            let counters = interface.steering!.counters
            #expect(counters.steered + counters.passedNoSocket == 64)
            #expect(counters.passedNoSocket > 0)
            _ = consume port
        }
    }

    @Test func `Fewer queues than are open are refused by the kernel, more are left to it`() throws {
        let net = try Pair("channels", queues: 4)
        defer { net.lab.close() }
        try net.b.enter {
            try net.a.run("ethtool", "-L", "va", "rx", "2", "tx", "2")
            try net.b.run("ethtool", "-L", "vb", "rx", "2", "tx", "2")
            let interface = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            #expect(interface.queueCount == 2)
            var port = try interface.open(queue: 1)
            // The kernel knows that a socket is bound to queue 1.
            #expect(throws: LabError.self) { try net.b.run("ethtool", "-L", "vb", "rx", "1", "tx", "1") }
            try net.b.run("ethtool", "-L", "vb", "rx", "4", "tx", "4")
            #expect(interface.queueCount == 4)
            var burst = Burst()
            #expect(port.receive(into: &burst) == 0)
        }
    }

    @Test func `An interface that disappears under a port ends its traffic, but hangs and loses nothing`()
        throws
    {
        try withPort("vanish", options(.native)) { port, _, interface, net in
            try net.b.run("ip", "link", "del", "vb")
            let inside = port.driver.framesInside
            for _ in 0..<4 {
                var burst = Burst()
                for number in 0..<64 {
                    var packet = port.makePacket()!
                    packet.fill(Numbered.frame(number))
                    burst.append(packet)
                }
                port.transmit(&burst)
                port.flush()
                #expect(port.receive(into: &burst) == 0)
            }
            #expect(port.driver.isGone == true)
            // Also those that were in the TX ring when it was found out.
            let figures = port.statistics()
            #expect(figures.drops[.sendRefused] == 256 && figures.sent == 0 && figures.sentBytes == 0)
            #expect(port.driver.framesInside == inside)
            #expect(port.driver.pool.free == 8192 - inside)
            let error = #expect(throws: XDPError.self) { _ = try interface.open(queue: 0) }
            #expect(error?.cause == .noSuchInterface(existing: ["lo"]))
        }
    }
}
