/// What an RX or TX ring holds: `struct xdp_desc` of linux/if_xdp.h.
struct XDPDescriptor: BitwiseCopyable {
    /// Where the data starts, in bytes from the start of the UMEM.
    var address: UInt64
    /// Bytes of data.
    var length: UInt32
    /// ``continued`` or 0.
    var options: UInt32

    /// XDP_PKT_CONTD: the packet continues in the next descriptor.
    static let continued: UInt32 = 1 << 0
}
