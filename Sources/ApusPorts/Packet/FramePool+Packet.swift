public import ApusRings

extension FramePool {
    /// An empty packet in a frame of this pool; `nil` when it has no free one.
    @inlinable
    public mutating func makePacket() -> Packet? {
        guard let frame = unsafe take() else { return nil }
        return unsafe Packet(adopting: frame)
    }

    /// A packet with a copy of these bytes, in as many frames as it takes; `nil` when there are too few free.
    package mutating func makePacket(of bytes: RawSpan) -> Packet? {
        guard let first = unsafe take() else { return nil }
        // From here on it owns its frames: leaving early gives them back.
        let packet = unsafe Packet(adopting: first)
        var (last, start) = unsafe (first, 0)
        while true {
            let length = unsafe min(
                bytes.byteCount - start, Int(last.header.pointee.slotSize) - Int(last.header.pointee.offset))
            // Sound: that many bytes are there, and so is the room for them.
            unsafe bytes.withUnsafeBytes { bytes in
                if length > 0 {
                    unsafe last.data.copyMemory(from: bytes.baseAddress! + start, byteCount: length)
                }
            }
            unsafe last.header.pointee.length = UInt32(length)
            start += length
            if start == bytes.byteCount { return packet }
            guard let next = unsafe take() else { return nil }
            unsafe last.header.pointee.next = next.header
            unsafe last = next
        }
    }
}
