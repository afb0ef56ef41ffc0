import ApusRings
import CLinux

/// How a ring lies in memory: `count` slots or blocks of `stride` bytes, one behind the other.
struct RingLayout {
    let count: Int
    let stride: Int
    /// Milliseconds until a block is handed over; `nil` for slots.
    let timeout: Int?

    var byteCount: Int { count * stride }

    init(receiving ring: PacketSocketReceiveRing, mtu: Int) {
        switch ring {
        case .slots(let count):
            // The packet with its tag and the kernel's headers, but no more than the largest frame
            // can take over.
            let needed =
                MemoryLayout<tpacket2_hdr>.size + 48 + VirtioHeader.byteCount + Int(ETH_HLEN) + 4 + mtu
            let largest = FrameSize.bytes4096.rawValue
            self.init(
                count: count, stride: max(2048, min(needed.roundedUpToPowerOfTwo, largest)), timeout: nil)
        case .blocks(let size, let count, let timeout):
            self.init(count: count, stride: size, timeout: timeout)
        }
    }

    init(sending slots: Int, mtu: Int) {
        let needed = Int(ETH_HLEN) + 4 + mtu
        self.init(count: slots, stride: max(2048, needed.roundedUpToPowerOfTwo), timeout: nil)
    }

    private init(count: Int, stride: Int, timeout: Int?) {
        (self.count, self.stride, self.timeout) = (count, stride, timeout)
    }

    /// Makes the ring, in contiguous pieces of up to 64 KiB that the kernel can allocate.
    func makeRing(_ option: Int32, on socket: borrowing PacketSocket, called name: String)
        throws(PacketSocketError) -> RingMemory
    {
        if let timeout {
            // The frame size has no meaning for blocks but must be sound.
            let request = tpacket_req3(
                tp_block_size: UInt32(stride), tp_block_nr: UInt32(count), tp_frame_size: 2048,
                tp_frame_nr: UInt32(byteCount / 2048), tp_retire_blk_tov: UInt32(timeout), tp_sizeof_priv: 0,
                tp_feature_req_word: 0)
            return try socket.makeRing(option, request, byteCount: byteCount, called: name)
        }
        return try socket.makeRing(option, slots, byteCount: byteCount, called: name)
    }

    /// The request for a ring of slots.
    var slots: tpacket_req {
        let block = max(stride, min(byteCount, 64 << 10))
        return tpacket_req(
            tp_block_size: UInt32(block), tp_block_nr: UInt32(byteCount / block),
            tp_frame_size: UInt32(stride), tp_frame_nr: UInt32(count))
    }
}

extension Int {
    /// The next power of two that is not smaller.
    fileprivate var roundedUpToPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
