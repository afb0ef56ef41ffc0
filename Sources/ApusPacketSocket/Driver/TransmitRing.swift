import CLinux
import Glibc

/// Where a packet starts in a slot of the transmit ring: behind the header, aligned to 16 (`TPACKET2_HDRLEN`
/// without the address, which is what the kernel takes for a socket without `PACKET_TX_HAS_OFF`).
let transmitDataOffset = (MemoryLayout<tpacket2_hdr>.size + 15) & ~15

/// Where the driver is in its transmit ring (TPACKET_V2 slots).
///
/// Between `first` and `producer` lie the slots that the kernel was not seen to have taken; `first`
/// is where the kernel's own position is, since it takes slots in order and stops at the first it
/// can't take. Everything else is free or on its way out.
@unsafe
struct TransmitRing {
    private let base: UnsafeMutableRawPointer
    private let mask: Int
    private let slotShift: Int
    /// The longest packet a slot has room for.
    let room: Int
    private(set) var producer = 0
    private(set) var first = 0
    /// Bytes in the slots between `first` and `producer`.
    private(set) var pendingBytes = 0

    init(base: UnsafeMutableRawPointer, count: Int, slotSize: Int) {
        unsafe self.base = base
        unsafe mask = count - 1
        unsafe slotShift = slotSize.trailingZeroBitCount
        unsafe room = slotSize - transmitDataOffset
    }

    /// Packets that the kernel was not seen to have taken.
    @inline(__always)
    var pending: Int { unsafe producer &- first }

    @inline(__always)
    private func slot(_ position: Int) -> UnsafeMutableRawPointer {
        unsafe base + (position & mask) &<< slotShift
    }

    /// Whether the next slot is free.
    @inline(__always)
    var hasRoom: Bool { unsafe slot(producer).loadStatus() == UInt32(TP_STATUS_AVAILABLE) }

    /// Where the bytes of the next packet go.
    @inline(__always)
    var target: UnsafeMutableRawPointer { unsafe slot(producer) + transmitDataOffset }

    /// Hands the next slot to the kernel, which looks at it when it is woken.
    @inline(__always)
    mutating func commit(length: Int) {
        let slot = unsafe slot(producer)
        unsafe slot.assumingMemoryBound(to: tpacket2_hdr.self).pointee.tp_len = UInt32(
            truncatingIfNeeded: length)
        unsafe slot.storeStatus(UInt32(TP_STATUS_SEND_REQUEST))
        unsafe producer &+= 1
        unsafe pendingBytes &+= length
    }

    /// The kernel has taken everything.
    @inline(__always)
    mutating func acceptAll() {
        unsafe first = producer
        unsafe pendingBytes = 0
    }

    private func length(_ position: Int) -> Int {
        unsafe Int(slot(position).assumingMemoryBound(to: tpacket2_hdr.self).pointee.tp_len)
    }

    /// Moves `first` over what the kernel has taken.
    mutating func acceptTaken() -> (packets: Int, bytes: Int) {
        var (packets, bytes) = (0, 0)
        while unsafe first < producer {
            let status = unsafe slot(first).loadStatus()
            let notTaken = UInt32(TP_STATUS_SEND_REQUEST | TP_STATUS_WRONG_FORMAT)
            if status & notTaken != 0 { break }
            packets += 1
            bytes += unsafe length(first)
            unsafe first += 1
        }
        unsafe pendingBytes -= bytes
        return (packets, bytes)
    }

    /// Whether the kernel stopped at a packet that it will never send.
    var isRefused: Bool {
        unsafe pending > 0 && slot(first).loadStatus() & UInt32(TP_STATUS_WRONG_FORMAT) != 0
    }

    /// Takes back everything that the kernel has not taken.
    mutating func dropPending() -> Int {
        unsafe dropPending { _, _ in true }
    }

    /// Takes back the packets between `first` and `producer` for which `drop` says so, and closes
    /// the gaps, since the kernel goes on at `first`.
    ///
    /// - Parameter drop: called with the position, counted from 0, and the packet's bytes.
    /// - Returns: how many were dropped.
    mutating func dropPending(where drop: (Int, UnsafeRawBufferPointer) -> Bool) -> Int {
        let end = unsafe producer
        var kept = unsafe first
        unsafe pendingBytes = 0
        for position in unsafe first..<end {
            let source = unsafe slot(position)
            let length = unsafe length(position)
            let bytes = unsafe UnsafeRawBufferPointer(start: source + transmitDataOffset, count: length)
            // Sound: the kernel reads these slots only while this thread is in send(2).
            unsafe source.storeStatus(UInt32(TP_STATUS_AVAILABLE))
            if unsafe drop(position - first, bytes) { continue }
            unsafe producer = kept
            if kept != position { unsafe _ = memcpy(target, source + transmitDataOffset, length) }
            unsafe commit(length: length)
            kept += 1
        }
        unsafe producer = kept
        return end - kept
    }
}
