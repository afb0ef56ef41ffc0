public import ApusWire

/// What is wanted of a device opened over DPDK.
public struct DPDKOptions: Sendable, Hashable {
    /// Queues in each direction, each of which becomes a port.
    public var queues = 1
    /// Descriptors of each receive queue; the device may want another number.
    public var receiveDescriptors = 1024
    /// Descriptors of each transmit queue; likewise.
    public var transmitDescriptors = 1024
    /// Frames of each queue's pool, at least 512 more than its descriptors: so neither what waits to be sent nor what is kept
    /// at hand for copies leaves the device without frames to receive into. DPDK keeps up to 384 for each thread that sends some.
    public var framesPerQueue = 8192
    /// The NUMA nodes of the queues' frames, one after the other: queue q has number q % count. Where none is named it is that
    /// of the device.
    public var nodes: [Int] = []
    /// The longest packet without its Ethernet header, in octets; `nil` leaves it to the device, most of which begin with 1500.
    public var mtu: Int?
    /// The most octets of a packet that lie in one frame: 1024 to 16 × 1024. A longer packet goes on in further frames;
    /// of a driver that sends none in several, frames are long enough for ``mtu``.
    public var room = 2048
    /// Whether packets to all addresses are wanted. Of a virtio card it takes this to receive packets with tags, as the card drops
    /// those of all VLANs that it was not told.
    public var isPromiscuous = false
    /// Whether the device checks UDP checksums of received packets, and completes those of sent ones that have
    /// `checksumPartial`, where it can. Where it can't, those received are left to who looks at them, and those sent are
    /// completed in software.
    public var checksumOffload = true
    /// What becomes of 802.1Q tags (0x8100) of received packets.
    public var vlan = VLANTags.keep
    /// Whether received packets carry the hash of their flow, ``Packet/flowHash``: Toeplitz's with
    /// `ToeplitzKey.symmetric`, by the device where it gives that and else in software, for some 15 ns a packet.
    public var flowHash = false
    /// Whether received packets say when they came: by the device's clock where it has one (`hardwareTimestamp`), else when
    /// their burst was received, for some 30 ns a burst.
    public var timestamps = false
    /// Whether a queue tells by an interrupt of packets, where the device can, so that a thread may sleep meanwhile.
    public var interrupts = true
    /// The link-layer address; `nil` keeps the device's own.
    public var mac: MACAddress?
    /// The number that received packets carry: ``Packet/port``.
    public var portNumber: UInt16 = 0

    /// What becomes of the outermost tag of a received packet, if it is one of 802.1Q.
    public enum VLANTags: Sendable, Hashable {
        /// It stays among the bytes.
        case keep
        /// It is taken off, and becomes ``Packet/vlan``; by the device where it can and else in software. So are
        /// tags put back into packets that are sent; in software that moves 12 bytes each.
        case strip
    }

    /// The defaults.
    public init() {}
}
