/// What a frame carries beside its bytes: the first 64 bytes of its slot.
///
/// One cache line, in front of the data, so that the handle of a frame is one word (the address of
/// this header) and touching a received packet costs the line that holds its length anyway.
/// Drivers and rings use it; applications see ``Packet`` in its place.
@unsafe
@frozen
public struct FrameHeader: BitwiseCopyable {
    /// The pool this frame goes back to.
    public var pool: UnsafeMutablePointer<FramePoolCore>
    /// The next segment of a packet longer than one frame; `nil` in the last one.
    public var next: UnsafeMutablePointer<FrameHeader>?
    /// When the packet was received, in nanoseconds since 1970; 0 when the driver did not say.
    public var timestamp: UInt64
    /// Where the data starts, in bytes from this header.
    public var offset: UInt32
    /// Bytes of data in this frame.
    public var length: UInt32
    /// The size of the slot, this header included: 2048 or 4096.
    public var slotSize: UInt32
    /// The number the application gave the port that received it.
    public var port: UInt16
    /// The receive queue it came from.
    public var queue: UInt16
    /// What the driver knows of the packet, and which of the fields behind this one say something.
    public var flags: FrameFlags
    /// With ``FrameFlags/vlanTag``: the control information of the 802.1Q tag that is not among the data.
    public var vlan: UInt16
    /// With ``FrameFlags/flowHash``: the hash of the packet's flow.
    public var flowHash: UInt32

    /// The header of an empty frame whose slot has that size, this header included.
    package init(pool: UnsafeMutablePointer<FramePoolCore>, slotSize: Int) {
        unsafe (self.pool, next, timestamp) = unsafe (pool, nil, 0)
        unsafe (offset, length, self.slotSize) = (UInt32(FramePool.dataOffset), 0, UInt32(slotSize))
        unsafe (port, queue, flags, vlan, flowHash) = (0, 0, [], 0, 0)
    }

    /// The header at an address that a frame's handle was stored as.
    @inlinable @inline(__always)
    static func at(_ address: UInt) -> UnsafeMutablePointer<FrameHeader> {
        unsafe UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }
}

/// What a driver knows of a received packet, or asks for a packet to be sent.
@frozen
public struct FrameFlags: OptionSet, Sendable, BitwiseCopyable {
    /// The flags as bits.
    public let rawValue: UInt16

    /// The flags of these bits.
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The transport checksum holds only the sum of the pseudo header (`CHECKSUM_PARTIAL`): the
    /// sender left the rest to a device that the packet never met. The port that sends such a packet sees to it.
    @inlinable public static var checksumPartial: FrameFlags { FrameFlags(rawValue: 1 << 0) }
    /// The device or the kernel has verified the transport checksum.
    @inlinable public static var checksumVerified: FrameFlags { FrameFlags(rawValue: 1 << 1) }
    /// ``FrameHeader/timestamp`` was taken by the device, not by software.
    @inlinable public static var hardwareTimestamp: FrameFlags { FrameFlags(rawValue: 1 << 2) }
    /// The packet's outermost 802.1Q tag is in ``FrameHeader/vlan`` in place of among its bytes, and goes back there when
    /// the packet is sent.
    @inlinable public static var vlanTag: FrameFlags { FrameFlags(rawValue: 1 << 3) }
    /// ``FrameHeader/flowHash`` is known.
    @inlinable public static var flowHash: FrameFlags { FrameFlags(rawValue: 1 << 4) }

    /// What is left to be done to a packet by whoever sends it.
    @inlinable public static var unfinished: FrameFlags { [.checksumPartial, .vlanTag] }
}

/// The sizes of a frame's slot.
///
/// These two, since AF_XDP in its aligned mode takes no others.
@frozen
public enum FrameSize: Int, Sendable, CaseIterable {
    /// 2048 bytes: an Ethernet frame of up to 1728 bytes.
    case bytes2048 = 2048
    /// 4096 bytes: an Ethernet frame of up to 3776 bytes.
    case bytes4096 = 4096

    /// The longest packet one frame of this size holds with the default headroom, in bytes.
    @inlinable
    public var capacity: Int { rawValue - FramePool.dataOffset }
}
