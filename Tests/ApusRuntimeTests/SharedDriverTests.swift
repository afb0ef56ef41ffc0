import ApusPorts
import ApusRings
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusRuntime

@Suite("Workers that share queues")
struct SharedDriverTests {
    /// A generator of its own, as SplitMix64 is.
    struct Choices {
        var state: UInt64
        mutating func below(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
    }

    @Test(arguments: [(2, 1, 1), (2, 1, 3), (3, 2, 1), (5, 2, 2)])
    func `Each flow has one worker, keeps its order while plans change, and every frame comes home`(
        _ workers: Int, _ queues: Int, _ destinations: Int
    ) throws {
        for seed in 0..<40 {
            var choices = Choices(state: UInt64(seed))
            var rig = try SharingRig(workers: workers, queues: queues)
            for worker in 0..<workers { rig.order(worker, destinations: destinations) }
            var isInOrder = true
            for step in 0..<600 {
                switch choices.below(8) {
                case 0...3:
                    // A card keeps a flow on a queue.
                    for _ in 0..<choices.below(20) {
                        let flow = choices.below(rig.flows)
                        _ = rig.send(flow, queue: flow % queues)
                    }
                case 4 where step % 40 == 0: rig.order(choices.below(workers), destinations: destinations)
                default: _ = rig.round(choices.below(workers))
                }
                if step % 16 == 0 { isInOrder = rig.check() && isInOrder }
            }
            isInOrder = rig.settle() && isInOrder
            let (isConserved, isDrained) = (rig.isConserved(), rig.isDrained())
            #expect(isInOrder && isConserved && isDrained, "seed \(seed)")
            for flow in 0..<rig.flows {
                let owner = rig.owner(of: flow)
                for worker in 0..<workers where worker != owner {
                    #expect(rig.boards[worker].counters.streams[flow].packets.value == 0)
                }
            }
            let busy = rig.boards.filter { $0.counters.received.value > 0 }.count
            #expect(busy > 1 && busy == Set((0..<rig.flows).map { rig.owner(of: $0) }).count)
            let all = rig.sent.reduce(0) { $0 + Int($1) }
            let (lost, copies) = (rig.ringFull(), rig.boards.reduce(0) { $0 + Int($1.counters.copies.value) })
            #expect(copies == (all - lost) * destinations)
        }
    }

    @Test func `A flow that a card takes to another queue stays with its worker`() throws {
        var rig = try SharingRig(workers: 3, queues: 2)
        for worker in 0..<3 { rig.order(worker) }
        for pass in 0..<4 {
            for flow in 0..<rig.flows {
                for _ in 0..<3 { must(rig.send(flow, queue: (flow + pass) % 2)) }
            }
            let isInOrder = rig.settle()
            #expect(isInOrder)
        }
        #expect(rig.arrived == 12 * rig.flows)
        for flow in 0..<rig.flows {
            #expect(rig.boards[rig.owner(of: flow)].counters.streams[flow].packets.value == 12)
        }
    }

    @Test func `Workers without a queue send in turn, also when one has more to send than there is room for`()
        throws
    {
        var rig = try SharingRig(workers: 4, queues: 1, screenRing: 8)
        for worker in 0..<4 { rig.order(worker, destinations: 4) }
        for _ in 0..<400 {
            for flow in 0..<rig.flows where rig.owner(of: flow) != 0 { _ = rig.send(flow) }
            for worker in 0..<4 { _ = rig.round(worker) }
            _ = rig.check()
        }
        for worker in 1..<4 {
            let last = (0..<rig.flows).filter { rig.owner(of: $0) == worker }.map { rig.next[$0] }
            try #require(!last.isEmpty)
            #expect(last.max()! > 20, "worker \(worker): \(last)")
        }
        _ = rig.settle()
        let (isConserved, isDrained) = (rig.isConserved(), rig.isDrained())
        #expect(isConserved && isDrained)
    }

    /// A port that takes 8 packets in so many rounds, and flows of all workers that bring more than that.
    @Test(arguments: [(2, 1), (4, 1), (2, 5), (4, 5)])
    func `A worker that has the queue sends its own and those of others by turns when there is too much`(
        _ workers: Int, _ rounds: Int
    ) throws {
        var rig = try SharingRig(workers: workers, queues: 1, flows: 32, screenRing: 8)
        for worker in 0..<workers { rig.order(worker, destinations: 2) }
        var came = [Int](repeating: 0, count: workers)
        for _ in 0..<600 {
            for flow in 0..<32 { _ = rig.send(flow) }
            for _ in 0..<rounds { for worker in 0..<workers { _ = rig.round(worker) } }
            let before = rig.came
            _ = rig.check()
            for flow in 0..<32 { came[rig.owner(of: flow)] += rig.came[flow] - before[flow] }
        }
        let all = came.reduce(0, +)
        try #require(all > 8 * 590, "the port was never idle")
        for share in came {
            #expect(share * workers > all * 8 / 10 && share * workers < all * 12 / 10, "\(came)")
        }
        _ = rig.settle()
        let (isConserved, isDrained) = (rig.isConserved(), rig.isDrained())
        #expect(isConserved && isDrained)
    }

    @Test func `A worker that stands still costs its own flows packets, which are counted, and no other's`()
        throws
    {
        // As long as that of a real queue with a pool of as many frames.
        let ring = WorkerLinks.length(frames: 1024, workers: 2)
        #expect(ring == 256)
        var rig = try SharingRig(workers: 2, queues: 1, ring: ring)
        for worker in 0..<2 { rig.order(worker) }
        let stalled = (0..<rig.flows).filter { rig.owner(of: $0) == 1 }
        _ = rig.round(1)
        for _ in 0..<200 {
            for flow in 0..<rig.flows { must(rig.send(flow)) }
            _ = rig.round(0)
            _ = rig.round(0)
            let isInOrder = rig.check()
            #expect(isInOrder)
        }
        #expect(rig.arrived == 200 * (rig.flows - stalled.count))
        let dropped = rig.ringFull()
        #expect(dropped == 200 * stalled.count - ring)
        let isInOrder = rig.settle()
        #expect(isInOrder && rig.arrived == 200 * rig.flows - dropped)
        let (isConserved, isDrained) = (rig.isConserved(), rig.isDrained())
        #expect(isConserved && isDrained)
    }

    @Test
    func
        `A worker that has the queue and stands still loses nothing that others pass it, but for want of room`()
        throws
    {
        var rig = try SharingRig(workers: 2, queues: 1, ring: 32)
        for worker in 0..<2 { rig.order(worker) }
        for _ in 0..<2 { for worker in 0..<2 { _ = rig.round(worker) } }
        let guests = (0..<rig.flows).filter { rig.owner(of: $0) == 1 }
        for _ in 0..<8 { for flow in guests { must(rig.send(flow)) } }
        // It hands over what fits; then only the other one works.
        _ = rig.round(0)
        for _ in 0..<20 { _ = rig.round(1) }
        let isInOrder = rig.settle()
        let (isConserved, isDrained) = (rig.isConserved(), rig.isDrained())
        #expect(isInOrder && isConserved && isDrained)
        #expect(rig.arrived + rig.ringFull() == 8 * guests.count)
    }

    @Test func `Who is about to wait is told of what came before, and woken by what comes after`() throws {
        var rig = try SharingRig(workers: 2, queues: 1)
        for worker in 0..<2 { rig.order(worker) }
        let flow = try #require((0..<rig.flows).first { rig.owner(of: $0) == 1 })
        for _ in 0..<2 { for worker in 0..<2 { _ = rig.round(worker) } }
        func isReadable(_ descriptor: Int32) -> Bool {
            var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return unsafe poll(&one, 1, 0) == 1
        }
        let descriptor = rig.workers[1]!.ports[0].driver.readyDescriptor
        #expect(descriptor >= 0)
        for _ in 0..<3 {
            // Nobody waits: no bell is rung.
            must(rig.send(flow))
            _ = rig.round(0)
            #expect(!isReadable(descriptor))
            must(!rig.mayWait(1, 0))
            must(rig.round(1) == 1)
            must(rig.mayWait(1, 0))
            #expect(!isReadable(descriptor))
            must(rig.send(flow))
            _ = rig.round(0)
            #expect(isReadable(descriptor))
            must(rig.round(1) == 1)
            #expect(!isReadable(descriptor))
            // The one that is to send it is asleep as well.
            must(!rig.mayWait(0, 1))
            _ = rig.round(0)
            must(rig.mayWait(0, 1))
        }
        let isInOrder = rig.check()
        #expect(isInOrder && rig.arrived == 6)
    }

    @Test(.timeLimit(.minutes(1)))
    func `On threads of their own, one that stands still for long stops no other`() throws {
        var rig = try SharingRig(workers: 3, queues: 1, flows: 12, ring: 256)
        for worker in 0..<3 { rig.order(worker) }
        var threads: [WorkerThread] = []
        var homes: [Handoff<SharingRig.Worker>] = []
        do {
            let (flag, goesOn) = (Flag(), Flag())
            for number in 0..<3 {
                let handoff = Handoff(rig.workers[number].take()!)
                let home = Handoff<SharingRig.Worker>()
                homes.append(home)
                let board = rig.boards[number]
                threads.append(
                    try WorkerThread(name: "sharing-\(number)", cpu: nil) {
                        var worker = handoff.take()
                        while !flag.isSet {
                            _ = worker.takeOrders(board.counters)
                            if worker.round(board.counters) == 0 { sched_yield() }
                            if number == 2, board.counters.received.value > 100 {
                                while !goesOn.isSet { usleep(1_000) }
                            }
                        }
                        for port in worker.ports.indices { worker.ports[port].handOver() }
                        home.put(worker)
                    })
            }
            var isInOrder = true
            // Ten times as many as a ring holds, while one stands still; of the others' flows never more at a time than a
            // ring holds, however late the machine lets a thread have its turn. Then all three go on.
            for step in 0..<1_500 {
                if step == 1_000 { goesOn.set() }
                for flow in 0..<12 { _ = rig.send(flow) }
                usleep(500)
                try eventually("packets of the others") {
                    isInOrder = rig.check() && isInOrder
                    let left = step == 1_499 ? 0 : 10
                    return (0..<12).allSatisfy {
                        rig.owner(of: $0) == 2 || rig.came[$0] + left >= Int(rig.sent[$0])
                    }
                }
            }
            flag.set()
            for thread in threads { thread.join() }
            #expect(isInOrder)
        }
        for number in 0..<3 { rig.workers[number] = homes[number].take() }
        let isInOrder = rig.settle()
        let (isConserved, isDrained, dropped) = (rig.isConserved(), rig.isDrained(), rig.ringFull())
        #expect(isInOrder && isConserved && isDrained)
        for flow in 0..<12 where rig.owner(of: flow) != 2 {
            let came = rig.boards[rig.owner(of: flow)].counters.streams[flow].packets.value
            #expect(came == UInt64(rig.sent[flow]))
        }
        // It had more to do meanwhile than the ring holds.
        #expect(dropped > 0)
        #expect(rig.arrived + dropped == rig.sent.reduce(0) { $0 + Int($1) })
    }

    /// What #expect can't look at, since the rig can't be copied.
    func must(_ condition: Bool, _ place: SourceLocation = #_sourceLocation) {
        #expect(condition, sourceLocation: place)
    }

    final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}
