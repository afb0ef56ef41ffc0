import Glibc
public import Synchronization

/// The part of a pool that frames point back to. It stays where it is for as long as one frame is out.
///
/// Free frames are in two places: on a stack that only the owning thread touches, without any atomic instruction
/// but a relaxed load; and in a queue that all other threads give frames back to, which the owner empties onto the
/// stack. To give back is wait-free: one atomic addition takes as many tickets as there are frames, and each ticket is
/// a slot of the queue. That slot is free, since the queue has at least as many as the pool has frames, of which each
/// is in it at most once. The owner takes them out in the order of the tickets, so while a thread is interrupted between
/// its ticket and the slot, what came after it waits too. Nobody writes to the frames themselves on that way, so their headers don't travel from core
/// to core.
///
/// A pool that is dropped while frames are out leaves a mark in the number of tickets. The frames are counted home
/// from then on, and the last one frees the core and lets go of the memory.
@unsafe
@frozen
public struct FramePoolCore: ~Copyable {
    // In three places, since a thread that writes takes the line from all others: what is hardly ever written, and read
    // by each thread that gives a frame back; what is the owner's; and what the others write. From one core to another that
    // saves a fifth or more of a frame's time. 128 bytes for each, since the prefetcher of x86 fetches lines in pairs.
    /// The thread pointer of the owning thread; 0 while no thread owns the pool.
    @usableFromInline let owner = Atomic<UInt>(0)
    /// The queue: addresses of headers; 0 in a slot that is free, or whose ticket is out.
    private let queue: UnsafeMutablePointer<Atomic<UInt>>
    /// The number of its slots less one; that is a power of two.
    private let mask: UInt
    /// The memory that frames which are out need.
    private let memory: Unmanaged<FrameMemory>
    /// Whether its frames are a library's.
    @usableFromInline let isForeign: Bool
    @usableFromInline let firstGap = InlineArray<11, UInt64>(repeating: 0)
    @usableFromInline var free: Int
    @usableFromInline let stack: UnsafeMutablePointer<Frame>
    @usableFromInline var capacity: Int
    /// The first ticket that the owner has not taken out of the queue.
    private var head: UInt = 0
    @usableFromInline let secondGap = InlineArray<12, UInt64>(repeating: 0)
    /// Tickets that were given out, and the mark of a dropped pool.
    private let tickets = Atomic<UInt>(0)
    /// How many frames are still out, once the pool was dropped. Below zero while the pool has not yet said
    /// how many those are; so zero is reached once, by the pool or by the last frame.
    private let outstanding = Atomic<Int>(0)
    @usableFromInline let tail = InlineArray<14, UInt64>(repeating: 0)

    /// The mark that says that the pool was dropped.
    private static var abandoned: UInt { 1 << 63 }

    init(stack: UnsafeMutablePointer<Frame>, capacity: Int, memory: FrameMemory) {
        var slots = 1
        while slots < capacity { slots *= 2 }
        unsafe queue = .allocate(capacity: slots)
        for slot in 0..<slots { unsafe (queue + slot).initialize(to: Atomic(0)) }
        unsafe mask = UInt(slots - 1)
        unsafe self.stack = stack
        unsafe self.memory = Unmanaged.passRetained(memory)
        unsafe isForeign = memory.isForeign
        unsafe self.capacity = capacity
        unsafe free = 0
    }

    // What follows is of the pointer, not of the core behind it: a mutating function would hold all of the core, while
    // other threads read its owner and take tickets.

    /// Puts a frame on the stack. For the owning thread.
    @inlinable
    static func push(_ frame: Frame, onto core: UnsafeMutablePointer<FramePoolCore>) {
        // Full only when a frame came twice, and the stack would be left then. Looking costs nothing that could be
        // measured.
        let free = unsafe core.pointee.free
        guard unsafe free < core.pointee.capacity else { unsafe stopForDouble() }
        unsafe core.pointee.stack[free] = frame
        unsafe core.pointee.free = free &+ 1
    }

    /// Puts those frames on the stack that are this pool's and stand alone, up to the first that is not or does not.
    ///
    /// - Returns: the position of that one.
    @inlinable
    static func push(
        _ headers: Span<UInt>, from start: Int, onto core: UnsafeMutablePointer<FramePoolCore>
    ) -> Int {
        var (position, top) = unsafe (start, core.pointee.free)
        let (stack, capacity) = unsafe (core.pointee.stack, core.pointee.capacity)
        while position < headers.count {
            // Sound: these are addresses of headers, as whoever calls answers for.
            let header = unsafe FrameHeader.at(headers[position])
            if unsafe header.pointee.pool != core || header.pointee.next != nil { break }
            // As in the other one.
            guard top < capacity else { unsafe stopForDouble() }
            unsafe stack[top] = Frame(header: header)
            top &+= 1
            position &+= 1
        }
        unsafe core.pointee.free = top
        return position
    }

    // Apart, for its text: that of a `precondition` is left out of release builds.
    @usableFromInline
    @inline(never)
    static func stopForDouble() -> Never {
        fatalError("a frame was given back twice: more came home to its pool than it has")
    }

    @usableFromInline
    @inline(never)
    static func stopForReentry() -> Never {
        fatalError("a frame was given back to a pool while others were being taken from it in bulk")
    }

    /// What a thread does with a frame when it is not the owner.
    @usableFromInline
    @inline(never)
    static func giveBack(_ frame: Frame) {
        let header = UInt(bitPattern: unsafe frame.header)
        unsafe giveBack(1, to: frame.header.pointee.pool) { _ in header }
    }

    /// The same with those frames that are of one pool and stand alone, from `start` on.
    ///
    /// - Returns: the position of the first that is not or does not.
    @usableFromInline
    @inline(never)
    static func giveBack(_ headers: Span<UInt>, from start: Int) -> Int {
        // Sound: as in `push`.
        let core = unsafe FrameHeader.at(headers[start]).pointee.pool
        var end = start
        while end < headers.count {
            let header = unsafe FrameHeader.at(headers[end])
            if unsafe header.pointee.pool != core || header.pointee.next != nil { break }
            end &+= 1
        }
        if end > start { unsafe giveBack(end - start, to: core) { headers[start + $0] } }
        return end
    }

    @inline(__always)
    private static func giveBack(
        _ count: Int, to core: UnsafeMutablePointer<FramePoolCore>, _ header: (Int) -> UInt
    ) {
        // Acquiring and releasing, so that who gets a ticket for a slot sees that the owner has emptied it: between
        // two tickets for a slot some frame was given back twice, so the owner took it out meanwhile.
        let first = unsafe core.pointee.tickets.add(UInt(count), ordering: .acquiringAndReleasing).oldValue
        if unsafe first & abandoned != 0 {
            // Sound: nobody touches the core after the frames that counted it down to zero, which are these.
            if unsafe countedHome(-count, of: core) { unsafe destroy(core) }
            return
        }
        let (queue, mask) = unsafe (core.pointee.queue, core.pointee.mask)
        for i in 0..<count {
            let slot = unsafe queue + Int(bitPattern: (first &+ UInt(i)) & mask)
            // Taken only when a frame came twice: then there are more tickets than frames.
            if unsafe slot.pointee.load(ordering: .relaxed) != 0 { unsafe stopForDouble() }
            unsafe slot.pointee.store(header(i), ordering: .releasing)
        }
    }

    /// Adds to the number of frames that are out of a pool that was dropped. True when none is any more.
    private static func countedHome(_ change: Int, of core: UnsafeMutablePointer<FramePoolCore>) -> Bool {
        unsafe core.pointee.outstanding.add(change, ordering: .acquiringAndReleasing).newValue == 0
    }

    /// Frees the core, now if all frames are home and else when the last one comes.
    ///
    /// For the owning thread, or any when there is none. Waits for threads that are just giving a frame back.
    static func abandon(_ core: UnsafeMutablePointer<FramePoolCore>) {
        // What this thread still holds takes the way of the others, too.
        unsafe core.pointee.owner.store(0, ordering: .relaxed)
        let given = unsafe core.pointee.tickets.bitwiseOr(abandoned, ordering: .acquiringAndReleasing)
            .oldValue
        while true {
            unsafe collect(into: core)
            if unsafe core.pointee.head == given { break }
            // Not only a yield: a thread of real-time priority would yield to none of the others.
            usleep(10)
        }
        let out = unsafe core.pointee.capacity &- core.pointee.free
        if unsafe countedHome(out, of: core) { unsafe destroy(core) }
    }

    // Apart, since it frees, which nothing on the way of a packet may.
    @inline(never)
    static func destroy(_ core: UnsafeMutablePointer<FramePoolCore>) {
        let memory = unsafe core.pointee.memory
        unsafe core.pointee.stack.deallocate()
        unsafe core.pointee.queue.deallocate()
        unsafe core.deinitialize(count: 1)
        unsafe core.deallocate()
        unsafe memory.release()
    }

    /// Moves what other threads gave back onto the stack. For the owning thread.
    @usableFromInline
    @inline(never)
    static func collect(into core: UnsafeMutablePointer<FramePoolCore>) {
        let (queue, mask) = unsafe (core.pointee.queue, core.pointee.mask)
        while true {
            let head = unsafe core.pointee.head
            let slot = unsafe queue + Int(bitPattern: head & mask)
            let header = unsafe slot.pointee.load(ordering: .acquiring)
            if header == 0 { return }
            unsafe slot.pointee.store(0, ordering: .relaxed)
            unsafe core.pointee.head = head &+ 1
            unsafe push(Frame(header: FrameHeader.at(header)), onto: core)
        }
    }
}
