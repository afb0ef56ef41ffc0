public import CLinux
public import Synchronization

/// A set of free frames that one thread takes from.
///
/// The handle is noncopyable: whoever holds it takes frames, and a frame that is dropped on that
/// thread goes back with a push on a stack. Frames dropped on other threads come back too, over a
/// wait-free queue, when the stack runs dry.
///
/// The pool belongs to the thread that first takes a frame. To move it to another thread after
/// that, call ``handOver()`` before: it makes sure that frames this thread still holds take the
/// other threads' way home. A take on a foreign thread without it stops the program, since going
/// on would corrupt the stack.
///
/// Frames may outlive the pool: they stay valid, and the last one to be dropped, on any thread, frees what
/// they lie in. Drop the pool on the thread that owns it, or after ``handOver()``; dropped elsewhere it keeps
/// its memory until the program ends.
///
/// Cost: take and release are about two nanoseconds on the owning thread, and less in bulk.
@safe
@frozen
public struct FramePool: ~Copyable, @unchecked Sendable {
    // Sendable: of what it points to a thread that does not own the pool touches only atomic words, and a look at
    // the owner comes before all else.
    @usableFromInline let core: UnsafeMutablePointer<FramePoolCore>
    /// The mapping the frames live in.
    public let memory: FrameMemory
    /// The number of the first slot of ``memory`` that is this pool's.
    public let firstSlot: Int

    /// The room a ``FrameHeader`` takes at the start of a slot, in bytes.
    @inlinable
    public static var headerSize: Int { 64 }

    /// Where data starts in a fresh frame, in bytes from the start of its slot: behind the header
    /// and 256 bytes of headroom, which is also where the kernel puts a received packet.
    @inlinable
    public static var dataOffset: Int { headerSize + 256 }

    init(memory: FrameMemory, firstSlot: Int, count: Int) {
        let stack = UnsafeMutablePointer<Frame>.allocate(capacity: count)
        let raw = unsafe UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<FramePoolCore>.stride, alignment: 128)
        unsafe core = raw.bindMemory(to: FramePoolCore.self, capacity: 1)
        unsafe core.initialize(to: FramePoolCore(stack: stack, capacity: count, memory: memory))
        self.memory = memory
        self.firstSlot = firstSlot
        let slotSize = memory.frameSize.rawValue
        // Highest address first, so that the first frame taken is the first of the memory.
        for slot in stride(from: firstSlot + count - 1, through: firstSlot, by: -1) {
            // Sound: FrameMemory handed out [firstSlot, firstSlot + count) of its slots once only.
            let header = unsafe (memory.base + slot * slotSize).bindMemory(to: FrameHeader.self, capacity: 1)
            unsafe header.initialize(to: FrameHeader(pool: core, slotSize: slotSize))
            unsafe FramePoolCore.push(Frame(header: header), onto: core)
        }
    }

    /// A pool over what a ``ForeignFrames`` keeps.
    init(core: UnsafeMutablePointer<FramePoolCore>, memory: FrameMemory) {
        unsafe self.core = unsafe core
        self.memory = memory
        firstSlot = 0
    }

    /// Where its frames go back to.
    @unsafe
    @inlinable @inline(__always)
    package var home: UnsafeMutablePointer<FramePoolCore> { unsafe core }

    /// Whether a frame is a library's, of a ``ForeignFrames``.
    @unsafe
    @inlinable @inline(__always)
    package static func isForeign(_ header: UnsafeMutablePointer<FrameHeader>) -> Bool {
        unsafe header.pointee.pool.pointee.isForeign
    }

    /// Puts what other threads have given back where this one takes from. For the owning thread.
    package mutating func collect() { unsafe FramePoolCore.collect(into: core) }

    /// The free frames that are at hand, without those that other threads have given back since it ran dry. For the owning
    /// thread: one load.
    @inlinable @inline(__always)
    public var atHand: Int { unsafe core.pointee.free }

    deinit {
        // Where another thread still puts frames on the stack nobody can count them: that memory stays for
        // good. Going on would corrupt it, and stopping the program in a destructor hides the cause.
        if isOwnedElsewhere { return }
        guard memory.isForeign else { return unsafe FramePoolCore.abandon(core) }
        unsafe core.pointee.owner.store(0, ordering: .releasing)
        memory.isLent.store(false, ordering: .releasing)
    }

    /// The number of frames, free or not.
    public var capacity: Int { unsafe core.pointee.capacity }

    /// The number of frames that are free now, counting those other threads have given back.
    ///
    /// Exact when no other thread is giving one back at this moment. For the owning thread, or when none
    /// owns the pool; from another thread it stops the program.
    public var free: Int {
        mutating get {
            checkOwner()
            unsafe FramePoolCore.collect(into: core)
            return unsafe core.pointee.free
        }
    }

    /// Lets go of the thread that owns the pool, so that the next one to take a frame owns it.
    ///
    /// What this thread still holds stays valid. Called while another thread owns the pool it stops the
    /// program.
    public mutating func handOver() {
        checkOwner()
        unsafe core.pointee.owner.store(0, ordering: .releasing)
    }

    /// Whether another thread took frames from it and has not handed it over.
    package var isOwnedElsewhere: Bool {
        // Acquiring, as in `adopt`: after a hand-over the stack is as the thread before left it.
        let owner = unsafe core.pointee.owner.load(ordering: .acquiring)
        return owner != 0 && owner != UInt(apus_thread_pointer())
    }

    /// Stops the program if another thread owns the pool: it may be putting a frame on the stack.
    private borrowing func checkOwner() {
        require(
            !isOwnedElsewhere,
            "a frame pool that another thread uses was looked at or handed over; call handOver() there")
    }

    /// A free frame with default offset, no data and no metadata, or `nil` when there is none.
    ///
    /// For drivers, which answer for the frame from then on; in their place everyone else makes a ``Packet`` by
    /// `makePacket()`.
    @inlinable @inline(__always)
    public mutating func take() -> Frame? {
        guard let frame = unsafe takeRaw() else { return nil }
        unsafe frame.header.pointee.reset()
        return unsafe frame
    }

    /// A free frame whose header holds whatever its last user left, but for `next`, which is `nil`.
    ///
    /// For drivers, which write every field when the kernel has filled the frame.
    @inlinable @inline(__always)
    public mutating func takeRaw() -> Frame? {
        if unsafe core.pointee.owner.load(ordering: .relaxed) != UInt(apus_thread_pointer()) { adopt() }
        if unsafe core.pointee.free == 0 {
            unsafe FramePoolCore.collect(into: core)
            if unsafe core.pointee.free == 0 { return nil }
        }
        let last = unsafe core.pointee.free &- 1
        unsafe core.pointee.free = last
        return unsafe core.pointee.stack[last]
    }

    /// Calls `body` with up to `count` such frames, one after the other; returns how many there were.
    ///
    /// Cheaper than one by one: who owns the pool, and how many are free, is looked up once. So `body` must not give
    /// a frame back, which would take the place of one that is still to come: that stops the program.
    @inlinable @inline(__always)
    public mutating func takeRaw(_ count: Int, _ body: (Frame) -> Void) -> Int {
        if unsafe core.pointee.owner.load(ordering: .relaxed) != UInt(apus_thread_pointer()) { adopt() }
        if unsafe core.pointee.free < count { unsafe FramePoolCore.collect(into: core) }
        let taken = unsafe max(0, min(count, core.pointee.free))
        let rest = unsafe core.pointee.free &- taken
        unsafe core.pointee.free = rest
        let frames = unsafe core.pointee.stack + rest
        var left = taken
        while left > 0 {
            left &-= 1
            unsafe body(frames[left])
        }
        guard unsafe core.pointee.free == rest else { unsafe FramePoolCore.stopForReentry() }
        return taken
    }

    /// Whether the calling thread owns it.
    @inlinable @inline(__always)
    package var isOwnedHere: Bool {
        unsafe core.pointee.owner.load(ordering: .relaxed) == UInt(apus_thread_pointer())
    }

    /// Makes the calling thread its owner, if it has none; called while another thread owns it it stops the program.
    @usableFromInline
    @inline(never)
    package mutating func adopt() {
        let owner = unsafe core.pointee.owner.load(ordering: .acquiring)
        if owner != 0, owner != UInt(apus_thread_pointer()) {
            fatalError(
                "a frame pool was used on a second thread; call handOver() on the first one before moving it")
        }
        unsafe core.pointee.owner.store(UInt(apus_thread_pointer()), ordering: .relaxed)
    }
}

extension FrameHeader {
    /// Makes the header that of an empty packet.
    @inlinable
    mutating func reset() {
        unsafe timestamp = 0
        unsafe offset = UInt32(truncatingIfNeeded: FramePool.dataOffset)
        unsafe length = 0
        unsafe port = 0
        unsafe queue = 0
        unsafe flags = []
    }
}
