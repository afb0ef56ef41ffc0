public import Synchronization

/// The part of a pool that frames point back to. It stays where it is for as long as one frame is out.
///
/// Two free lists: a stack that only the owning thread touches, without any atomic instruction but
/// a relaxed load; and a list that all other threads push on and the owner takes whole. Taking the
/// whole list at once is what makes the push safe from ABA.
///
/// A pool that is dropped while frames are out leaves a mark in place of the second list. The frames are
/// counted home from then on, and the last one frees the core and lets go of the memory.
@unsafe
@frozen
public struct FramePoolCore: ~Copyable {
    /// The thread pointer of the owning thread; 0 while no thread owns the pool.
    @usableFromInline let owner = Atomic<UInt>(0)
    @usableFromInline var free: Int
    @usableFromInline let stack: UnsafeMutablePointer<Frame>
    @usableFromInline let capacity: Int
    // The words above belong to the owner; the one below is written by everybody else. 128 bytes
    // between them, since the prefetcher of x86 fetches lines in pairs.
    @usableFromInline let separation = InlineArray<12, UInt64>(repeating: 0)
    @usableFromInline let returned = Atomic<UInt>(0)
    /// How many frames are still out, once the pool was dropped. Below zero while the pool has not yet said
    /// how many those are; so zero is reached once, by the pool or by the last frame.
    private let outstanding = Atomic<Int>(0)
    /// The memory that frames which are out need.
    private let memory: Unmanaged<FrameMemory>
    @usableFromInline let tail = InlineArray<13, UInt64>(repeating: 0)

    /// In place of the list when the pool was dropped; no header is there.
    private static var abandoned: UInt { 1 }

    init(stack: UnsafeMutablePointer<Frame>, capacity: Int, memory: FrameMemory) {
        unsafe self.stack = stack
        unsafe self.memory = Unmanaged.passRetained(memory)
        unsafe self.capacity = capacity
        unsafe free = 0
    }

    @inlinable
    mutating func push(_ frame: Frame) {
        // Full only when a frame came twice, and the stack would be left then. Looking costs nothing that could be
        // measured.
        guard unsafe free < capacity else { unsafe Self.stopForDouble() }
        unsafe stack[free] = frame
        unsafe free &+= 1
    }

    // Apart, for its text: that of a `precondition` is left out of release builds.
    @usableFromInline
    @inline(never)
    static func stopForDouble() -> Never {
        fatalError("a frame was given back twice: more came home to its pool than it has")
    }

    /// What a thread does with a frame when it is not the owner.
    @usableFromInline
    @inline(never)
    static func giveBack(_ frame: Frame) {
        let core = unsafe frame.header.pointee.pool
        if unsafe core.pointee.pushFromElsewhere(frame) { return }
        // Sound: nobody touches the core after the frame that counted it down to zero, which is this one.
        if unsafe core.pointee.count(-1) { unsafe destroy(core) }
    }

    /// Puts a frame on the list, unless the pool was dropped.
    private func pushFromElsewhere(_ frame: Frame) -> Bool {
        var head = unsafe returned.load(ordering: .relaxed)
        while unsafe head != Self.abandoned {
            unsafe frame.header.pointee.next = UnsafeMutablePointer(bitPattern: head)
            let (exchanged, now) = unsafe returned.weakCompareExchange(
                expected: head, desired: UInt(bitPattern: frame.header), ordering: .releasing)
            if exchanged { return true }
            head = now
        }
        return false
    }

    /// Adds to the number of frames that are out of a pool that was dropped. True when none is any more.
    private func count(_ change: Int) -> Bool {
        unsafe outstanding.add(change, ordering: .acquiringAndReleasing).newValue == 0
    }

    /// Frees the core, now if all frames are home and else when the last one comes.
    ///
    /// For the owning thread, or any when there is none.
    static func abandon(_ core: UnsafeMutablePointer<FramePoolCore>) {
        // What this thread still holds takes the way of the others, too.
        unsafe core.pointee.owner.store(0, ordering: .relaxed)
        unsafe core.pointee.collect(leaving: abandoned)
        let out = unsafe core.pointee.capacity &- core.pointee.free
        if unsafe core.pointee.count(out) { unsafe destroy(core) }
    }

    // Apart, since it frees, which nothing on the way of a packet may.
    @inline(never)
    private static func destroy(_ core: UnsafeMutablePointer<FramePoolCore>) {
        let memory = unsafe core.pointee.memory
        unsafe core.pointee.stack.deallocate()
        unsafe core.deinitialize(count: 1)
        unsafe core.deallocate()
        unsafe memory.release()
    }

    /// Moves what other threads gave back onto the stack.
    @usableFromInline
    @inline(never)
    mutating func collect() { unsafe collect(leaving: 0) }

    /// The same, and leaves `mark` in place of the list.
    private mutating func collect(leaving mark: UInt) {
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe UnsafeMutablePointer(
            bitPattern: returned.exchange(mark, ordering: .acquiring))
        while let header = unsafe next {
            unsafe next = header.pointee.next
            unsafe header.pointee.next = nil
            unsafe push(Frame(header: header))
        }
    }
}
