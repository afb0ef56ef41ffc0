public import CLinux
import Synchronization

/// The raw handle of a frame: one word, which can be copied and therefore lost or doubled.
///
/// For drivers and rings, which must park frames where no destructor runs: in a descriptor ring
/// that the kernel reads, in a shared slot. Everyone else uses ``Packet``, which owns one.
/// Whoever takes a `Frame` out of a packet owes it a new owner.
@unsafe
@frozen
public struct Frame: BitwiseCopyable {
    /// The start of its slot.
    public let header: UnsafeMutablePointer<FrameHeader>

    /// The frame whose slot starts at `header`.
    @inlinable
    public init(header: UnsafeMutablePointer<FrameHeader>) { unsafe self.header = header }

    /// The first byte of data.
    @inlinable
    public var data: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(header) + Int(truncatingIfNeeded: header.pointee.offset)
    }

    /// Gives this frame, and the segments that follow it, back to where they came from.
    ///
    /// On the thread that owns the pool: a push on a stack. On any other: one compare-and-swap.
    @inlinable
    public func release() {
        if unsafe header.pointee.next != nil { return unsafe releaseChain() }
        unsafe releaseOne()
    }

    @inlinable
    func releaseOne() {
        let core = unsafe header.pointee.pool
        if unsafe core.pointee.owner.load(ordering: .relaxed) == UInt(apus_thread_pointer()) {
            unsafe core.pointee.push(self)
        } else {
            unsafe FramePoolCore.giveBack(self)
        }
    }

    @usableFromInline
    @inline(never)
    func releaseChain() {
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe header
        while let header = unsafe next {
            unsafe next = header.pointee.next
            unsafe header.pointee.next = nil
            unsafe Frame(header: header).releaseOne()
        }
    }
}
