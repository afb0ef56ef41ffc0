import ApusPorts
import ApusRings
import Seeds
import Testing

/// Law: frames are conserved. A frame is in exactly one place: pool, driver, ring, burst or packet.
@Suite("Frames are conserved")
struct ConservationTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `At every moment, under random operations and faults`(block: UInt64) throws {
        // A block of seeds shares one mapping, as mapping is the most expensive part.
        let memory = try FrameMemory(frames: 150 * 2 * World.framesEach, hugePages: .never)
        for seed in block * 150..<(block + 1) * 150 {
            var world = try World(memory: memory, seed: seed)
            var wrong = 0
            for _ in 0..<120 {
                world.step()
                if world.frames != 2 * World.framesEach { wrong += 1 }
            }
            #expect(wrong == 0, "seed \(seed)")
            world.comeHome()
            let free = [world.here.driver.pool.free, world.there.driver.pool.free]
            #expect(free == [World.framesEach, World.framesEach], "seed \(seed)")
            let balance = world.balance
            #expect(balance == 0, "every packet sent is received or dropped by name, seed \(seed)")
        }
    }

    @Test func `A frame that is lost on purpose is missed`() throws {
        let memory = try FrameMemory(frames: 2 * World.framesEach, hugePages: .never)
        var world = try World(memory: memory, seed: 1)
        for _ in 0..<50 { world.step() }
        world.comeHome()
        let packet = world.here.makePacket()!
        let frame = unsafe packet.takeFrame()
        let missing = 2 * World.framesEach - world.frames
        #expect(missing == 1)
        unsafe frame.release()
        let frames = world.frames
        #expect(frames == 2 * World.framesEach)
    }

    @Test func `Through capture files, broken ones too`() throws {
        let folder = TemporaryFolder()
        let (good, written) = (folder.file("good.pcap"), folder.file("written.pcapng"))
        do {
            var port = Port(try CaptureDriver(writing: good, frames: 64))
            var burst = Burst()
            for size in 0..<400 {
                var packet = port.makePacket()!
                #expect(packet.append(size) == true)
                burst.append(packet)
                port.transmit(&burst)
            }
            let free = port.driver.pool.free
            #expect(free == 64)
        }
        for seed in 0..<200 as Range<UInt64> {
            var random = Seeded(seed)
            let path = seed % 2 == 0 ? good : folder.damaged(good, using: &random)
            guard let driver = try? CaptureDriver(reading: path, writing: written, rounds: 2, frames: 40)
            else { continue }
            var port = Port(driver)
            var burst = Burst()
            var held = Burst()
            var steps = 0
            while !port.driver.isFinished || !held.isEmpty {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: port.receive(into: &burst)
                case 1: port.transmit(&burst)
                case 2:
                    while held.room > 0, burst.count > 20, let packet = burst.popFirst() {
                        held.append(packet)
                    }
                default: _ = held.popFirst()
                }
                let frames = port.driver.pool.free + port.driver.framesInside + burst.count + held.count
                #expect(frames == 40)
                steps += 1
                if steps > 100_000 { break }
            }
            burst.removeAll()
            let free = port.driver.pool.free
            #expect(free == 40)
        }
    }

    @Test func `Between threads, through rings, from pool to pool`() throws {
        // Each worker takes frames of its own pool, passes them round, drops some and sends the rest on.
        let memory = try FrameMemory(frames: 3 * 128, hugePages: .never)
        let rounds = 20_000
        let first = SPSCRing<Packet>(minimumCapacity: 32)
        let second = SPSCRing<Packet>(minimumCapacity: 32)
        let third = SPSCRing<Packet>(minimumCapacity: 32)
        let workers = try [
            WorkerThread(Worker(memory.makePool(frames: 128), third.consumer, first.producer)) {
                $0.work(rounds: rounds, seed: 1)
            },
            WorkerThread(Worker(memory.makePool(frames: 128), first.consumer, second.producer)) {
                $0.work(rounds: rounds, seed: 2)
            },
            WorkerThread(Worker(memory.makePool(frames: 128), second.consumer, third.producer)) {
                $0.work(rounds: rounds, seed: 3)
            },
        ]
        // The last to finish finds every frame of every pool at home.
        let done = workers.map { $0.join() }
        for worker in done { worker.drain() }
        #expect(done.map { $0.free() } == [128, 128, 128])
    }
}
