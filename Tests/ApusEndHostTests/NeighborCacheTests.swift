import ApusEndHost
import ApusWire
import Testing

@Suite struct NeighborCacheTests {
    private func address(_ number: Int) -> String { "192.0.\(number / 256).\(number % 256)" }

    /// A host in 192.0.0.0/16 with room for 64 neighbors.
    private func rig() throws -> Rig {
        try Rig {
            $0.addresses = [AddressPrefix("192.0.2.2/16")!]
            $0.neighborLimit = 64
        }
    }

    private func known(_ rig: borrowing Rig) -> [NeighborStatus.State: Int] {
        var known: [NeighborStatus.State: Int] = [:]
        rig.host.forEachNeighbor { known[$0.state, default: 0] += 1 }
        return known
    }

    private func reply(_ sender: String) -> Frame {
        .arp(2, sender, Rig.mac, "192.0.2.2", to: Rig.mac)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `a neighbor out of use is stale after half to one and a half of 30 seconds`(seed: UInt64) throws {
        var rig = try Rig { $0.seed = seed &* 0x1234_5678_9abc_def1 }
        _ = rig.resolve("192.0.2.1")
        rig.due()
        rig.give(reply("192.0.2.1"))
        let start = rig.now
        let next = rig.host.deadline
        let deadline = try #require(next)
        #expect((15 * second...45 * second).contains(deadline - start))
        rig.now = deadline - 1
        #expect(rig.due() == [] && rig.state("192.0.2.1") == .reachable)
        rig.now = deadline
        #expect(rig.due() == [] && rig.state("192.0.2.1") == .stale)
        // Nobody asks for one that is not in use.
        #expect(rig.host.deadline == nil && rig.pass(100) == [])
    }

    @Test func `one in use is asked after five seconds, three times where it was, and is lost then`() throws {
        var rig = try Rig()
        _ = rig.resolve("192.0.2.1")
        rig.due()
        rig.give(reply("192.0.2.1"))
        rig.pass(46)
        _ = rig.events()
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        #expect(rig.state("192.0.2.1") == .delay)
        #expect(rig.pass(4.9) == [])
        let questions = rig.pass(2.1)
        #expect(questions.count == 3 && questions.allSatisfy { $0.destination == Frame.peer })
        #expect(rig.state("192.0.2.1") == .probe)
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        #expect(rig.pass(1) == [] && rig.state("192.0.2.1") == .failed)
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .unreachable(.noAnswer))])
        // Then all are asked, as it may be elsewhere.
        rig.pass(1)
        #expect(rig.resolve("192.0.2.1") == .unreachable(.noAnswer))
        #expect(rig.due().first?.destination == .broadcast)
        rig.give(reply("192.0.2.1"))
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
    }

    @Test func `one that has not answered is asked for once a second while it is wanted, and no longer`()
        throws
    {
        var rig = try Rig()
        _ = rig.resolve("192.0.2.1")
        rig.pass(4)
        #expect(rig.state("192.0.2.1") == .failed)
        _ = rig.events()
        for _ in 0..<20 {
            var questions = 0
            for _ in 0..<10 {
                #expect(rig.resolve("192.0.2.1") == .unreachable(.noAnswer))
                questions += rig.pass(0.1).count
            }
            #expect(questions == 1)
        }
        #expect(rig.counters.neighborsFailed.value == 1 && rig.events() == [])
        // A reply is one to a question of the last second only.
        rig.pass(2)
        rig.give(reply("192.0.2.1"))
        #expect(rig.state("192.0.2.1") == .failed)
        _ = rig.resolve("192.0.2.1")
        #expect(rig.due().map(\.destination) == [.broadcast])
        rig.give(reply("192.0.2.1"))
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .ready(Frame.peer))])
        #expect(rig.host.neighborCount(.reachable) == 1 && rig.host.neighborCount(.failed) == 0)
        rig.expectConserved()
    }

    @Test func `a probe that is answered, or a word of the caller, makes it reachable`() throws {
        var rig = try Rig()
        let address = IPAddress("192.0.2.1")!
        rig.host.confirm(address, at: rig.now)
        #expect(rig.state("192.0.2.1") == nil)
        _ = rig.resolve("192.0.2.1")
        rig.host.confirm(address, at: rig.now)
        rig.due()
        #expect(rig.state("192.0.2.1") == .incomplete)
        rig.give(reply("192.0.2.1"))
        rig.pass(46)
        _ = rig.resolve("192.0.2.1")
        rig.pass(5.5)
        #expect(rig.state("192.0.2.1") == .probe)
        rig.give(reply("192.0.2.1"))
        #expect(rig.state("192.0.2.1") == .reachable)
        rig.pass(46)
        _ = rig.resolve("192.0.2.1")
        #expect(rig.state("192.0.2.1") == .delay)
        rig.host.confirm(address, at: rig.now)
        #expect(rig.state("192.0.2.1") == .reachable && rig.pass(10) == [])
        #expect(rig.events().count == 1)
    }

    @Test func `time that goes back is taken for the latest`() throws {
        var rig = try Rig()
        _ = rig.resolve("192.0.2.1")
        rig.due()
        rig.now -= 100 * second
        #expect(rig.due() == [])
        #expect(rig.resolve("192.0.2.7") == .pending)
        #expect(rig.due().count == 1)
    }

    @Test func `those that only made themselves known take a quarter, and push out nobody in use`() throws {
        var rig = try rig()
        for number in 0x300..<0x308 {
            _ = rig.resolve(address(number))
            rig.due()
            rig.give(reply(address(number)))
        }
        for number in 0x400..<0x500 { #expect(rig.give(.arp(1, address(number), "192.0.2.2")).answer != nil) }
        #expect(known(rig) == [.reachable: 8, .stale: 16])
        #expect(rig.state(address(0x4ff)) == .stale && rig.state(address(0x400)) == nil)
        #expect(rig.counters.neighborsEvicted.value == 256 - 16)
        // A solicited advertisement that nobody asked for does not lift one out of its bound.
        for number in 0x500..<0x600 {
            rig.give(.arp(1, address(number), "192.0.2.2"))
            rig.give(reply(address(number)))
        }
        #expect(known(rig) == [.reachable: 8, .stale: 16])
        rig.expectConserved()
    }

    @Test func `unresolved ones take half, and push out nobody in use`() throws {
        var rig = try rig()
        for number in 0x300..<0x320 {
            _ = rig.resolve(address(number))
            rig.due()
            rig.give(reply(address(number)))
        }
        _ = rig.events()
        var refused = 0
        for number in 0x400..<0x500 where rig.resolve(address(number)) == .unreachable(.tooManyNeighbors) {
            refused += 1
        }
        #expect(refused == 256 - 32 && rig.counters.neighborsRefused.value == 224)
        #expect(known(rig) == [.reachable: 32, .incomplete: 32])
        #expect(rig.due().count == 32)
        rig.pass(4)
        #expect(known(rig) == [.reachable: 32, .failed: 32])
        // They keep their places until it was told what became of them.
        #expect(rig.resolve(address(0x500)) == .unreachable(.tooManyNeighbors))
        #expect(rig.events().count == 32)
        for number in 0x500..<0x520 { #expect(rig.resolve(address(number)) == .pending) }
        #expect(known(rig) == [.reachable: 32, .incomplete: 32])
        #expect(rig.counters.neighborsEvicted.value == 32)
        rig.expectConserved()
    }

    @Test func `of those out of use the oldest goes first`() throws {
        var rig = try rig()
        for number in 0x300..<0x340 {
            _ = rig.resolve(address(number))
            rig.due()
            rig.give(reply(address(number)))
            rig.now += second / 1000
        }
        _ = rig.events()
        #expect(rig.resolve(address(0x400)) == .unreachable(.tooManyNeighbors))
        rig.pass(46)
        #expect(known(rig) == [.stale: 64])
        _ = rig.resolve(address(0x300))
        #expect(rig.resolve(address(0x400)) == .pending)
        #expect(rig.state(address(0x300)) == .delay && rig.state(address(0x301)) == nil)
        #expect(rig.state(address(0x302)) == .stale)
    }

    @Test func `one that was heard of and is then wanted is asked for like any other`() throws {
        var rig = try Rig()
        rig.give(.arp(1, "192.0.2.1", "192.0.2.2"))
        #expect(rig.pass(100) == [] && rig.events() == [])
        #expect(rig.resolve("192.0.2.1") == .ready(Frame.peer))
        #expect(rig.pass(5.1).map(\.destination) == [Frame.peer])
        rig.give(reply("192.0.2.1"))
        #expect(rig.state("192.0.2.1") == .reachable)
    }

    @Test func `one that is awaited and asks us first is known by that`() throws {
        var rig = try Rig()
        _ = rig.resolve("192.0.2.1")
        rig.due()
        rig.give(.arp(1, "192.0.2.1", "192.0.2.2"))
        #expect(rig.state("192.0.2.1") == .stale)
        #expect(rig.events() == [.neighbor(IPAddress("192.0.2.1")!, .ready(Frame.peer))])
        #expect(rig.pass(10) == [])
    }
}
