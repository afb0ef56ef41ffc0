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
    /// On the thread that owns the pool: a push on a stack. On any other: one atomic addition.
    @inlinable
    public func release() {
        if unsafe header.pointee.next != nil { return unsafe releaseChain() }
        unsafe releaseOne()
    }

    @inlinable
    func releaseOne() {
        let core = unsafe header.pointee.pool
        if unsafe core.pointee.owner.load(ordering: .relaxed) == UInt(apus_thread_pointer()) {
            unsafe FramePoolCore.push(self, onto: core)
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

    /// Gives back all frames whose headers have these addresses, each with the segments that follow it.
    ///
    /// Cheaper than one by one: the owner is looked up, and on other threads the atomic addition made, once for all
    /// frames that follow one another and are of one pool.
    @inlinable
    public static func release(_ headers: Span<UInt>) {
        var position = 0
        while position < headers.count {
            // Sound: as whoever calls answers for.
            let header = unsafe FrameHeader.at(headers[position])
            if unsafe header.pointee.next != nil {
                unsafe Frame(header: header).releaseChain()
                position &+= 1
                continue
            }
            let core = unsafe header.pointee.pool
            if unsafe core.pointee.owner.load(ordering: .relaxed) == UInt(apus_thread_pointer()) {
                position = unsafe FramePoolCore.push(headers, from: position, onto: core)
            } else {
                position = unsafe FramePoolCore.giveBack(headers, from: position)
            }
        }
    }
}
