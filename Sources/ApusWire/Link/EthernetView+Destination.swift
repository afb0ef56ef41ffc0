extension EthernetView {
    /// The link-layer destination of a frame that is looked at no further; nil below 14 octets.
    @inlinable @inline(__always)
    public static func destination(of frame: RawSpan) -> MACAddress? {
        // Eight octets are there.
        frame.byteCount >= 14 ? unsafe MACAddress(bits: frame.big64(0) >> 16) : nil
    }
}
