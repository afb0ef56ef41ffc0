import ApusPorts
import ApusRings
import CLinux
import CXDP
import Glibc
import Synchronization

/// The control plane of one open port: its socket, its rings, and which frames are inside.
///
/// The driver keeps raw pointers into this; it lives until the driver has closed it.
@safe
final class XDPQueue: @unchecked Sendable {
    /// Where a frame is that the driver holds.
    enum Place: UInt8 {
        case outside = 0
        /// In the fill ring, with the kernel, or in the RX ring.
        case receiving = 1
        /// In the TX ring, with the kernel, or in the completion ring.
        case sending = 2
    }

    let interface: XDPInterface
    let queue: Int
    let grant: PortGrant
    let isZeroCopy: Bool
    let takesSegments: Bool
    let descriptor: Int32
    let rings: XSKRings
    /// For each slot of the memory a `Place`.
    let places: UnsafeMutablePointer<UInt8>
    /// The interface's pool for this queue, which outlives the port.
    let pool: UnsafeMutablePointer<FramePool>
    /// The longest packet the interface sends, link-layer header included.
    let maximumPacketSize: UnsafeMutablePointer<Atomic<Int>>
    private let socket: XSKHandle
    /// Whether what was taken to be sent has left, or never will. Only the driver looks at it.
    var isFinished = false

    init(
        _ interface: XDPInterface, queue: Int, socket: XSKHandle,
        rings: XSKRings, pool: UnsafeMutablePointer<FramePool>,
        isZeroCopy: Bool, takesSegments: Bool, grant: PortGrant
    ) {
        (self.interface, self.queue, self.grant) = (interface, queue, grant)
        (self.isZeroCopy, self.takesSegments) = (isZeroCopy, takesSegments)
        unsafe (self.socket, self.rings, self.pool) = (socket, rings, pool)
        descriptor = socket.descriptor
        let slots = interface.memory.frames.slotCount
        unsafe places = .allocate(capacity: slots)
        unsafe places.initialize(repeating: Place.outside.rawValue, count: slots)
        unsafe maximumPacketSize = .allocate(capacity: 1)
        unsafe maximumPacketSize.initialize(to: Atomic(0))
        readMTU()
    }

    deinit {
        unsafe maximumPacketSize.deinitialize(count: 1)
        unsafe maximumPacketSize.deallocate()
        rings.deallocate()
        unsafe places.deallocate()
    }

    /// Reads the interface's MTU again: it may have been changed.
    func readMTU() {
        let mtu = Int(apus_xdp_mtu(interface.index))
        // An Ethernet header and one VLAN tag more, as the kernel's own check allows.
        if mtu > 0 { unsafe maximumPacketSize.pointee.store(mtu + 14 + 4, ordering: .relaxed) }
    }

    /// Closes the socket and gives every frame back to its pool.
    func close() {
        interface.redirection.unregister(queue: queue)
        if !isFinished { leave() }
        interface.memory.close(socket)
        // The kernel takes the rings from a zero-copy device in a work item, after the close.
        if isZeroCopy { usleep(20_000) }
        let memory = interface.memory.frames
        for slot in 0..<memory.slotCount where unsafe places[slot] != Place.outside.rawValue {
            unsafe places[slot] = Place.outside.rawValue
            // Sound: the slot held a frame when it was marked, and the kernel has let go of it.
            unsafe Frame(
                header: (memory.base + slot * memory.frameSize.rawValue).assumingMemoryBound(
                    to: FrameHeader.self)
            ).release()
        }
        // A thread that used the port and did not hand it over may still be putting frames on the stack.
        if unsafe !pool.pointee.isOwnedElsewhere { unsafe pool.pointee.handOver() }
        interface.closed(queue)
    }

    /// Lets packets that were taken to be sent leave, for 50 ms at most.
    private func leave() {
        var transmit = unsafe KernelProducer<XDPDescriptor>(rings.pointer.pointee.transmit)
        let deadline = apus_clock(CLOCK_MONOTONIC) &+ 50_000_000
        while unsafe transmit.pending() > 0, apus_clock(CLOCK_MONOTONIC) < deadline {
            var completion = unsafe KernelConsumer<UInt64>(rings.pointer.pointee.completion)
            let done = unsafe completion.available(completion.size)
            // Their frames are still marked as sending, and go home with the others.
            unsafe completion.release(done)
            if sendto(descriptor, nil, 0, APUS_MSG_DONTWAIT, nil, 0) < 0,
                errno != EAGAIN, errno != EBUSY, errno != ENOBUFS
            {
                return
            }
            if unsafe transmit.pending() > 0 { usleep(1000) }
        }
    }
}
