public import ApusPorts
public import ApusRings
import CXDP
import Synchronization

/// One queue of an interface over an AF_XDP socket. Opened by ``XDPInterface/open(queue:number:)``.
///
/// Data path: receive and transmit are one call a burst, and per packet a ring entry, a byte of bookkeeping
/// and the frame's header. No system call but wake-ups: see ``wakeups``.
///
/// What it holds is marked for each slot of the memory, so that a frame the kernel would complete twice, or
/// never gave back before the port was closed, is neither doubled nor lost.
@safe
public struct XDPDriver: PortDriver, ~Copyable, @unchecked Sendable {
    var receiveRing: KernelConsumer<XDPDescriptor>
    var transmitRing: KernelProducer<XDPDescriptor>
    var fillRing: KernelProducer<UInt64>
    var completionRing: KernelConsumer<UInt64>

    let base: UnsafeMutableRawPointer
    let places: UnsafeMutablePointer<UInt8>
    let poolBox: UnsafeMutablePointer<FramePool>
    let control: Unmanaged<XDPQueue>
    let maximum: UnsafeMutablePointer<Atomic<Int>>

    /// The size of a slot is 1 << shift.
    let shift: UInt64
    let slotCount: UInt64
    let descriptor: Int32
    let queue: UInt16
    let number: UInt16
    let takesSegments: Bool
    let isZeroCopy: Bool
    let isBusyPolling: Bool
    /// The interface is gone: nothing can be sent any more.
    var isGone = false
    /// The interface was down when the kernel was woken last.
    var isDown = false

    /// Frames the kernel shall have to receive into.
    let fillTarget: UInt32
    /// Frames in the fill ring, with the kernel to receive into, or in the RX ring.
    var receiving: UInt32 = 0
    /// Frames in the TX ring, with the kernel to be sent, or in the completion ring.
    var sending: UInt32 = 0
    /// Entries of the TX ring that were made void, which the kernel will count as invalid.
    var voided: UInt64 = 0
    /// Frames that are marked as receiving, but came back by no descriptor that could be believed: which of them
    /// it was is not known, so they stay out until the port is closed.
    var withheld: UInt32 = 0
    /// What is in the TX ring counts as sent here; ``statistics()`` takes it off.
    var counters = PortStatistics()
    /// System calls made to wake the kernel.
    public internal(set) var wakeups = Wakeups()

    /// How often the kernel was woken.
    public struct Wakeups: Sendable, Hashable {
        /// To send: sendto(2).
        public var transmit: UInt64 = 0
        /// To receive: recvfrom(2).
        public var receive: UInt64 = 0
    }

    /// Takes over a queue that was just bound, and fills its fill ring.
    init(_ control: XDPQueue, number: UInt16) {
        let memory = control.interface.memory.frames
        let rings = unsafe control.rings.pointer.pointee
        unsafe receiveRing = KernelConsumer(rings.receive)
        unsafe transmitRing = KernelProducer(rings.transmit)
        unsafe fillRing = KernelProducer(rings.fill)
        unsafe completionRing = KernelConsumer(rings.completion)
        unsafe base = memory.base
        unsafe places = control.places
        unsafe poolBox = control.pool
        unsafe self.control = Unmanaged.passRetained(control)
        unsafe maximum = unsafe control.maximumPacketSize
        shift = UInt64(memory.frameSize.rawValue.trailingZeroBitCount)
        slotCount = UInt64(memory.slotCount)
        descriptor = control.descriptor
        queue = UInt16(truncatingIfNeeded: control.queue)
        self.number = number
        takesSegments = control.takesSegments
        isZeroCopy = control.isZeroCopy
        isBusyPolling = control.interface.options.busyPoll != nil
        // The ring may be larger than this interface asks for, as that of another one over the memory.
        let wanted = control.interface.options.fillRing
        fillTarget = unsafe UInt32(
            min(Int(fillRing.size), wanted, max(1, control.pool.pointee.capacity / 2)))
        refill()
        // The port may well be used by another thread than the one that opens it.
        unsafe control.pool.pointee.handOver()
    }

    deinit {
        let control = unsafe self.control.takeRetainedValue()
        control.close()
    }

    /// The queue's pool. It belongs to the interface, so that the queue can be opened again.
    public var pool: FramePool {
        // Sound: the interface keeps the pool for as long as this port holds it open.
        _read { yield unsafe poolBox.pointee }
        _modify { yield unsafe &poolBox.pointee }
    }

    /// A free frame of ``pool``, without its accessor, which outside this module is a call through a pointer.
    public mutating func takeFrame() -> Frame? { unsafe poolBox.pointee.take() }
}
