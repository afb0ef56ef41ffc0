import CLinux
import Glibc

/// Packets that wait for the kernel, in slots of our own, which it takes by sendmmsg(2).
///
/// That costs a sixth to a fifth less than a ring shared with it (`PACKET_TX_RING`), with the copy to the slot: for each
/// packet of such a ring the kernel looks up its pages and makes a buffer of them, and writes the slot's state back when
/// the buffer goes.
///
/// Between `first` and `producer` lie the packets that it has not taken.
@unsafe
struct TransmitRing {
    private let base: UnsafeMutableRawPointer
    private let messages: UnsafeMutablePointer<apus_message>
    private let parts: UnsafeMutablePointer<iovec>
    private let mask: Int
    private let slotShift: Int
    /// The longest packet a slot has room for.
    let room: Int
    private(set) var producer = 0
    private(set) var first = 0
    /// Bytes in the slots between `first` and `producer`.
    private(set) var pendingBytes = 0

    /// The memory it needs: the slots, and what tells the kernel where they are.
    static func byteCount(count: Int, slotSize: Int) -> Int {
        unsafe count * (slotSize + MemoryLayout<apus_message>.stride + MemoryLayout<iovec>.stride)
    }

    /// - Parameters:
    ///   - base: of memory of that size, aligned to a page, that holds nothing.
    ///   - count: slots, a power of two.
    ///   - slotSize: likewise.
    init(base: UnsafeMutableRawPointer, count: Int, slotSize: Int) {
        unsafe self.base = base
        let messages = unsafe (base + count * slotSize).bindMemory(to: apus_message.self, capacity: count)
        let parts = unsafe UnsafeMutableRawPointer(messages + count).bindMemory(
            to: iovec.self, capacity: count)
        for slot in 0..<count {
            unsafe (parts + slot).initialize(to: iovec(iov_base: base + slot * slotSize, iov_len: 0))
            unsafe (messages + slot).initialize(to: apus_message())
            unsafe messages[slot].header.msg_iov = parts + slot
            unsafe messages[slot].header.msg_iovlen = 1
        }
        unsafe (self.messages, self.parts) = (messages, parts)
        unsafe mask = count - 1
        unsafe slotShift = slotSize.trailingZeroBitCount
        unsafe room = slotSize
    }

    /// Packets that the kernel has not taken.
    @inline(__always)
    var pending: Int { unsafe producer &- first }

    @inline(__always)
    private func slot(_ position: Int) -> UnsafeMutableRawPointer {
        unsafe base + (position & mask) &<< slotShift
    }

    /// Whether the next slot is free.
    @inline(__always)
    var hasRoom: Bool { unsafe pending <= mask }

    /// Where the bytes of the next packet go.
    @inline(__always)
    var target: UnsafeMutableRawPointer { unsafe slot(producer) }

    /// The next slot holds a packet.
    @inline(__always)
    mutating func commit(length: Int) {
        unsafe parts[producer & mask].iov_len = length
        unsafe producer &+= 1
        unsafe pendingBytes &+= length
    }

    /// Offers the kernel what waits, up to where the slots begin anew. Never blocks.
    ///
    /// - Returns: how many packets it took; -1, with `errno` set, when it did not take the first.
    func send(on socket: Int32) -> Int {
        let start = unsafe first & mask
        // UIO_MAXIOV messages in one call.
        let count = unsafe min(pending, mask + 1 - start, 1024)
        return unsafe Int(
            apus_send_messages(
                socket, messages + start, UInt32(truncatingIfNeeded: count), APUS_MSG_DONTWAIT))
    }

    /// The first packet that the kernel has not taken. There must be one.
    var firstPacket: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: slot(first), count: parts[first & mask].iov_len)
    }

    /// Is done with that many of those that the kernel has not taken, the first ones.
    ///
    /// - Returns: the bytes in them.
    @inline(__always)
    mutating func accept(_ count: Int) -> Int {
        if unsafe count == pending {
            let bytes = unsafe pendingBytes
            // From the start again: those slots are in the cache.
            unsafe (first, producer, pendingBytes) = (0, 0, 0)
            return bytes
        }
        var bytes = 0
        for position in unsafe first..<first + count { unsafe bytes += parts[position & mask].iov_len }
        unsafe first += count
        unsafe pendingBytes -= bytes
        return bytes
    }
}
