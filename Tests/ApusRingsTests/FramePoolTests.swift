import Glibc
import Synchronization
import Testing

@testable import ApusRings

@Suite("Frame pools")
struct FramePoolTests {
    @Test func `A pool gives each of its frames once and has none after that`() throws {
        let memory = try FrameMemory(frames: 8, hugePages: .never)
        var pool = try memory.makePool(frames: 8)
        var seen: Set<UInt> = []
        var held: [UInt] = []
        while let frame = unsafe pool.take() {
            let address = unsafe UInt(bitPattern: frame.header)
            #expect(seen.insert(address).inserted)
            #expect(
                unsafe (0..<memory.byteCount).contains(
                    UnsafeRawPointer(frame.header) - UnsafeRawPointer(memory.base)))
            held.append(address)
        }
        #expect(held.count == 8)
        #expect(pool.free == 0)
        for address in held { unsafe Frame(header: UnsafeMutablePointer(bitPattern: address)!).release() }
        #expect(pool.free == 8)
    }

    @Test func `What all read of a pool, its owner writes or others write are 128 bytes apart`() throws {
        let memory = try FrameMemory(frames: 1, hugePages: .never)
        let pool = try memory.makePool(frames: 1)
        let start = UnsafeRawPointer(unsafe pool.core)
        #expect(UInt(bitPattern: start) % 128 == 0)
        unsafe withUnsafePointer(to: &pool.core.pointee.free) {
            let offset = unsafe UnsafeRawPointer($0) - start
            #expect(offset == 128)
        }
        #expect(unsafe MemoryLayout<FramePoolCore>.size == 3 * 128)
    }

    @Test(arguments: FrameSize.allCases)
    func `Frames start at multiples of their size and data at a multiple of 64`(_ size: FrameSize) throws {
        let memory = try FrameMemory(frames: 4, frameSize: size, hugePages: .never)
        var pool = try memory.makePool(frames: 4)
        while let frame = unsafe pool.take() {
            #expect(unsafe UInt(bitPattern: frame.header) % UInt(size.rawValue) == 0)
            #expect(unsafe UInt(bitPattern: frame.data) % 64 == 0)
            unsafe frame.release()
            if unsafe UInt(bitPattern: frame.header) == UInt(bitPattern: memory.base) { break }
        }
    }

    @Test func `The header fits the room it is given`() {
        #expect(unsafe MemoryLayout<FrameHeader>.size <= FramePool.headerSize)
    }

    @Test func `Frames given back on another thread come home`() throws {
        let memory = try FrameMemory(frames: 1000, hugePages: .never)
        var pool = try memory.makePool(frames: 1000)
        for _ in 0..<20 {
            var held: [UInt] = []
            while let frame = unsafe pool.take() { held.append(unsafe UInt(bitPattern: frame.header)) }
            #expect(held.count == 1000)
            let halves = [Array(held[..<500]), Array(held[500...])]
            let threads = halves.map { half in
                Running(half) { half in
                    for address in half {
                        unsafe Frame(header: UnsafeMutablePointer(bitPattern: address)!).release()
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(pool.free == 1000)
        }
    }

    @Test func `A pool handed over is owned by the thread that takes next`() throws {
        let memory = try FrameMemory(frames: 4, hugePages: .never)
        var pool = try memory.makePool(frames: 4)
        let kept = unsafe pool.take()!
        pool.handOver()
        let address = unsafe UInt(bitPattern: kept.header)
        Running(pool) { pool in
            var pool = pool
            let other = unsafe pool.take()!
            unsafe other.release()
            // The frame that the first thread took comes back here too.
            unsafe Frame(header: UnsafeMutablePointer(bitPattern: address)!).release()
            check(pool.free == 4)
        }.join()
    }

    @Test func `A pool that another thread uses can be neither looked at nor handed over`() async {
        await #expect(processExitsWith: .failure) {
            var pool = try usedElsewhere()
            print(pool.free)
        }
        await #expect(processExitsWith: .failure) {
            var pool = try usedElsewhere()
            pool.handOver()
        }
        await #expect(processExitsWith: .success) {
            var pool = try usedElsewhere(andHandedOver: true)
            pool.handOver()
            guard pool.free == 4 else { exit(1) }
        }
    }

    @Test func `A chain of segments is given back whole`() throws {
        let memory = try FrameMemory(frames: 3, hugePages: .never)
        var pool = try memory.makePool(frames: 3)
        let (a, b, c) = unsafe (pool.take()!, pool.take()!, pool.take()!)
        unsafe a.header.pointee.next = b.header
        unsafe b.header.pointee.next = c.header
        unsafe a.release()
        #expect(pool.free == 3)
    }

    @Test func `A frame that outlives its pool stays readable, and the last one frees the memory`() throws {
        weak var freed: FrameMemory?
        var kept: [UInt] = []
        do {
            let memory = try FrameMemory(frames: 3, hugePages: .never)
            freed = memory
            var pool = try memory.makePool(frames: 3)
            for _ in 0..<2 {
                let frame = unsafe pool.take()!
                unsafe frame.data.storeBytes(of: 0x5a, as: UInt8.self)
                kept.append(unsafe UInt(bitPattern: frame.header))
            }
        }
        for address in kept {
            #expect(freed != nil)
            let frame = unsafe Frame(header: UnsafeMutablePointer(bitPattern: address)!)
            #expect(unsafe frame.data.load(as: UInt8.self) == 0x5a)
            unsafe frame.release()
        }
        #expect(freed == nil)
    }

    @Test(arguments: [1, 8])
    func `A pool dropped while other threads give frames back leaves nothing behind`(atATime bulk: Int) throws
    {
        for round in 0..<200 {
            weak var freed: FrameMemory?
            var threads: [Running<[UInt], Void>] = []
            do {
                let memory = try FrameMemory(frames: 64, hugePages: .never)
                freed = memory
                var pool = try memory.makePool(frames: 64)
                var held: [UInt] = []
                while let frame = unsafe pool.take() { held.append(unsafe UInt(bitPattern: frame.header)) }
                for part in [held[..<32], held[32...]] {
                    threads.append(
                        Running(Array(part)) { part in
                            for start in stride(from: 0, to: part.count, by: bulk) {
                                let some = Array(part[start..<start + bulk])
                                if bulk > 1 {
                                    unsafe Frame.release(some.span)
                                } else {
                                    unsafe Frame(header: FrameHeader.at(some[0])).release()
                                }
                            }
                        })
                }
                // Now and then the threads are half way, done, or have not begun.
                if round % 4 != 0 { usleep(UInt32(round)) }
            }
            for thread in threads { thread.join() }
            #expect(freed == nil)
        }
    }

    @Test func `More slots than a memory has are refused, and the rest can still be had`() throws {
        let memory = try FrameMemory(frames: 10, hugePages: .never)
        let first = try memory.makePool(frames: 6)
        #expect(throws: MemoryError.notEnoughSlots(wanted: 5, free: 4)) { _ = try memory.makePool(frames: 5) }
        for wanted in [-1, 0, .max, .min] {
            #expect(throws: MemoryError.notEnoughSlots(wanted: wanted, free: 4)) {
                _ = try memory.makePool(frames: wanted)
            }
        }
        let second = try memory.makePool(frames: 4)
        #expect(first.firstSlot == 0 && second.firstSlot == 6)
    }

    @Test func `Huge pages that are required and not there are an error that says what to do`() throws {
        // 64 GiB of huge pages are on no machine these tests run on.
        let error = #expect(throws: MemoryError.self) {
            _ = try FrameMemory(frames: 1 << 20, frameSize: .bytes4096, hugePages: .required)
        }
        let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        let file = unsafe fopen(path, "r")
        var reserved: Int32 = 0
        if let file = unsafe file {
            unsafe withUnsafeMutablePointer(to: &reserved) { number in
                unsafe withVaList([number]) { _ = unsafe vfscanf(file, "%d", $0) }
            }
            unsafe fclose(file)
        }
        // Those that are there are somebody's.
        #expect(error?.description.contains("vm.nr_hugepages=\(reserved + 2048)") == true)
        let more = MemoryError.noHugePages(wanted: 16, reserved: 64, cause: "Cannot allocate memory")
        #expect("\(more)".hasSuffix("reserve them with: sysctl -w vm.nr_hugepages=80"))
    }

    @Test func `Normal pages instead of huge ones come with the reason`() throws {
        let memory = try FrameMemory(frames: 16, hugePages: .preferred)
        if memory.grant.pages == .normal {
            #expect(memory.grant.reason?.contains("2 MiB") == true)
        } else {
            #expect(memory.grant.reason == nil)
        }
        #expect(try FrameMemory(frames: 16, hugePages: .never).grant.reason == nil)
    }

    @Test func `Parts of a memory are whole huge pages each, and a pool comes from the part of its node`()
        throws
    {
        let memory = try FrameMemory(
            parts: [.init(frames: 3, node: nil), .init(frames: 5, node: 0), .init(frames: 4, node: nil)],
            hugePages: .never)
        #expect(memory.slotCount == 2048)
        let near = try memory.makePool(frames: 5, node: 0)
        let anywhere = try memory.makePool(frames: 7)
        #expect(near.firstSlot == 1024 && anywhere.firstSlot == 0)
        let (placed, free) = (memory.grant(of: near), memory.grant(of: anywhere))
        #expect(placed.requestedNode == 0 && placed.node == 0 && placed.nodeReason == nil)
        #expect(free.requestedNode == nil)
        // Where its own has too few left it comes from another.
        #expect(try memory.makePool(frames: 1024 - 7).firstSlot == 7)
        #expect(try memory.makePool(frames: 1).firstSlot == 1029)
        #expect(throws: MemoryError.notEnoughSlots(wanted: 1019, free: 1018)) {
            _ = try memory.makePool(frames: 1019, node: 0)
        }
        // One part stays as it is.
        #expect(try FrameMemory(parts: [.init(frames: 3, node: nil)], hugePages: .never).slotCount == 3)
    }

    @Test func `What a thread touches comes from the node that was named, and then from where it did before`()
    {
        // On a host with one node there is nothing to choose from, but nothing may go wrong either.
        for node in [nil, 0, 1023, 4096] {
            MemoryNode.prefer(node) {
                let table = FixedArray(repeating: 1 as UInt8, count: 1 << 20)
                #expect(node != 0 || table.memoryNode == 0)
            }
        }
        #expect(FixedArray(repeating: 1 as UInt8, count: 1 << 20).memoryNode != nil)
    }

    @Test func `A NUMA node that is not there is refused by number`() {
        #expect(throws: MemoryError.self) { _ = try FrameMemory(frames: 1, node: 4096) }
    }

    @Test func `Memory says on which NUMA node it lies, and why not on the one that was asked for`() throws {
        let anywhere = try FrameMemory(frames: 16, hugePages: .never).grant
        #expect(anywhere.requestedNode == nil && anywhere.nodeReason == nil)
        do throws(MemoryError) {
            let placed = try FrameMemory(frames: 16, hugePages: .never, node: 0).grant
            #expect(placed.requestedNode == 0 && placed.node == 0 && placed.nodeReason == nil)
        } catch {
            // A kernel without NUMA has no node to ask for, nor to tell.
            #expect(error == .noSuchNode(0, highest: 0) && anywhere.node == nil)
        }
        func reason(_ node: Int32, _ refusal: Int32) -> String? {
            MemoryGrant(
                requested: .never, pages: .normal, reason: nil, requestedNode: 1, node: node, refusal: refusal
            ).nodeReason
        }
        #expect(reason(1, 0) == nil)
        #expect(reason(0, 0) == "that node had no free pages")
        #expect(reason(0, EPERM) == "mbind: Operation not permitted")
        #expect(reason(-ENOSYS, 0)?.contains("Function not implemented") == true)
    }
}

/// A pool of four frames from which another thread has taken one and given it back.
private func usedElsewhere(andHandedOver isHandedOver: Bool = false) throws -> FramePool {
    let memory = try FrameMemory(frames: 4, hugePages: .never)
    return Running(try memory.makePool(frames: 4)) { pool in
        var pool = pool
        if let frame = unsafe pool.take() { unsafe frame.release() }
        if isHandedOver { pool.handOver() }
        return pool
    }.join()
}
