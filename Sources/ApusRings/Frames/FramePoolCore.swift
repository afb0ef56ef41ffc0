public import Synchronization

/// The part of a pool that frames point back to. It stays where it is for as long as one frame is out.
///
/// Two free lists: a stack that only the owning thread touches, without any atomic instruction but
/// a relaxed load; and a list that all other threads push on and the owner takes whole. Taking the
/// whole list at once is what makes the push safe from ABA.
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
    @usableFromInline let tail = InlineArray<15, UInt64>(repeating: 0)

    init(stack: UnsafeMutablePointer<Frame>, capacity: Int) {
        unsafe self.stack = stack
        unsafe self.capacity = capacity
        unsafe free = 0
    }

    @inlinable
    mutating func push(_ frame: Frame) {
        // Sound: a frame is on at most one free list, so `free` is below `capacity` here.
        unsafe stack[free] = frame
        unsafe free &+= 1
    }

    @usableFromInline
    @inline(never)
    func pushFromElsewhere(_ frame: Frame) {
        var head = unsafe returned.load(ordering: .relaxed)
        while true {
            unsafe frame.header.pointee.next = UnsafeMutablePointer(bitPattern: head)
            let (exchanged, now) = unsafe returned.weakCompareExchange(
                expected: head, desired: UInt(bitPattern: frame.header), ordering: .releasing)
            if exchanged { return }
            head = now
        }
    }

    /// Moves what other threads gave back onto the stack.
    @usableFromInline
    @inline(never)
    mutating func collect() {
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe UnsafeMutablePointer(
            bitPattern: returned.exchange(0, ordering: .acquiring))
        while let header = unsafe next {
            unsafe next = header.pointee.next
            unsafe header.pointee.next = nil
            unsafe push(Frame(header: header))
        }
    }
}
