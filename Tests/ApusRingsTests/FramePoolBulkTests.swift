import Foundation
import Testing

@testable import ApusRings

/// Taking and giving back many frames at once.
@Suite("Frame pools in bulk")
struct FramePoolBulkTests {
    @Test func `Frames taken in bulk are each another one, as many as there are`() throws {
        var pool = try FrameMemory(frames: 10, hugePages: .never).makePool(frames: 10)
        var held: [UInt] = []
        func take(_ count: Int) -> Int {
            unsafe pool.takeRaw(count) { held.append(unsafe UInt(bitPattern: $0.header)) }
        }
        #expect(take(0) == 0 && take(-1) == 0)
        #expect(take(4) == 4)
        #expect(pool.free == 6)
        #expect(take(64) == 6)
        #expect(take(1) == 0)
        #expect(held.count == 10 && Set(held).count == 10)
        unsafe Frame.release(held.span)
        #expect(pool.free == 10)
    }

    @Test func `A frame that is given back while others are taken stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var pool = try FrameMemory(frames: 4, hugePages: .never).makePool(frames: 4)
            var count = 0
            _ = unsafe pool.takeRaw(3) { frame in
                count += 1
                if count == 1 { unsafe frame.release() }
            }
        }
    }

    @Test func `A frame that comes twice from another thread stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var pool = try FrameMemory(frames: 2, hugePages: .never).makePool(frames: 2)
            let (a, b) = unsafe (pool.take()!, pool.take()!)
            let addresses = unsafe [a, b, a].map { unsafe UInt(bitPattern: $0.header) }
            Running(addresses) { addresses in
                for address in addresses { unsafe Frame(header: FrameHeader.at(address)).release() }
            }.join()
        }
    }

    @Test func `Frames of several pools, alone and in chains, each go home`() throws {
        let memory = try FrameMemory(frames: 24, hugePages: .never)
        var first = try memory.makePool(frames: 12)
        var second = try memory.makePool(frames: 12)
        var held: [UInt] = []
        // Runs of one pool, of lengths 1 to 4, with chains at the start, in the middle and at the end.
        for run in 1...4 {
            _ = unsafe first.takeRaw(run) { held.append(unsafe UInt(bitPattern: $0.header)) }
            _ = unsafe second.takeRaw(run) { held.append(unsafe UInt(bitPattern: $0.header)) }
        }
        for place in [0, 7, held.count - 1] {
            let own = place == 7 ? unsafe second.take()! : unsafe first.take()!
            unsafe FrameHeader.at(held[place]).pointee.next = own.header
        }
        unsafe Frame.release(held.span)
        #expect(first.free == 12 && second.free == 12)
        // Nothing hangs on a frame that is taken anew.
        held = (0..<12).map { _ in unsafe UInt(bitPattern: first.take()!.header) }
        for header in held { #expect(unsafe FrameHeader.at(header).pointee.next == nil) }
        unsafe Frame.release(held.span)
    }

    @Test func `A frame that comes twice in bulk stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var pool = try FrameMemory(frames: 2, hugePages: .never).makePool(frames: 2)
            let frame = unsafe UInt(bitPattern: pool.take()!.header)
            unsafe Frame.release([frame, frame].span)
        }
    }

    @Test func `Two threads give back in bulk while the owner takes, a hundred times around the queue`()
        throws
    {
        let frames = 96
        var pool = try FrameMemory(frames: frames, hugePages: .never).makePool(frames: frames)
        var threads: [Running<SPSCConsumer<UInt>, Int>] = []
        var producers = FixedArray(count: 2) { _ in
            let ring = SPSCRing<UInt>(minimumCapacity: 64)
            threads.append(
                Running(ring.consumer) { consumer in
                    var consumer = consumer
                    var (given, held) = (0, [UInt]())
                    while true {
                        guard let header = consumer.dequeue() else {
                            unsafe Frame.release(held.span)
                            held.removeAll()
                            sched_yield()
                            continue
                        }
                        if header == 0 { break }
                        held.append(header)
                        given += 1
                    }
                    unsafe Frame.release(held.span)
                    return given
                })
            return ring.producer
        }
        var (sent, round) = (0, 0)
        while sent < 100 * frames {
            round += 1
            var taken: [UInt] = []
            _ = unsafe pool.takeRaw(round % 7 + 1) { taken.append(unsafe UInt(bitPattern: $0.header)) }
            #expect(Set(taken).count == taken.count)
            for header in taken { while producers[round % 2].enqueue(header) != nil { sched_yield() } }
            if taken.isEmpty { sched_yield() }
            sent += taken.count
        }
        for thread in 0..<2 { while producers[thread].enqueue(0) != nil { sched_yield() } }
        var given = 0
        for thread in threads { given += thread.join() }
        #expect(given == sent)
        #expect(pool.free == frames)
    }
}
