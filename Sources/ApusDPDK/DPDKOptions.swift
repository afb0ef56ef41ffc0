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
    /// The most octets of a packet that lie in one frame: 1024 to 16 × 1024. A longer packet goes on in further frames.
    public var room = 2048
    /// Whether packets to all addresses are wanted.
    public var isPromiscuous = false
    /// Whether the device checks UDP checksums of received packets where it can.
    public var checksumOffload = true
    /// Whether a queue tells by an interrupt of packets, where the device can, so that a thread may sleep meanwhile.
    public var interrupts = true
    /// The link-layer address; `nil` keeps the device's own.
    public var mac: [UInt8]?
    /// The number that received packets carry: ``ApusPorts/Packet/port``.
    public var portNumber: UInt16 = 0

    /// The defaults.
    public init() {}
}
