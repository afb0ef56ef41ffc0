public import ApusRings

extension FramePool {
    /// An empty packet in a frame of this pool; `nil` when it has no free one.
    @inlinable
    public mutating func makePacket() -> Packet? {
        guard let frame = unsafe take() else { return nil }
        return unsafe Packet(adopting: frame)
    }
}
