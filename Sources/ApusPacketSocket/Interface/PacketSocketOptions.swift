/// How to open an interface with packet sockets. Everything that takes memory or time is a number here.
public struct PacketSocketOptions: Sendable, Equatable {
    /// Ports to open, one for each worker, from 1 to 256. Each has a receive and a transmit ring.
    public var workers = 1
    /// How packets are spread over several workers.
    public var fanout = PacketSocketFanout.flowHash
    /// Whether a packet goes to the next worker when its own has no room. It then overtakes others
    /// of its flow.
    public var fanoutRollover = false
    /// The receive ring of each worker.
    public var receiveRing = PacketSocketReceiveRing.slots(count: 4096)
    /// Packets the transmit ring of each worker holds: a power of two from 16 to 32,768. A slot takes
    /// the MTU, rounded up to a power of two.
    public var transmitSlots = 1024
    /// Whether sent packets go straight to the interface (`PACKET_QDISC_BYPASS`): past its queueing
    /// discipline and traffic control, and unseen by tcpdump on this host.
    public var bypassesQueueing = false
    /// Who takes the timestamps of received packets.
    public var timestamps = PacketSocketTimestamps.software
    /// Whether the interface also receives what is meant for other hosts.
    public var promiscuous = false
    /// What is received.
    public var filter = PacketSocketFilter.everything
    /// Which way the packets went that are received.
    public var direction = PacketSocketDirection.received

    /// One worker, software timestamps, everything that is meant for this host.
    public init() {}
}

/// How received packets are spread over workers (`PACKET_FANOUT` in packet(7)).
public enum PacketSocketFanout: String, Sendable, CaseIterable {
    /// By a hash over addresses and ports: a flow, both its directions, stays with one worker.
    case flowHash = "flow hash"
    /// By the processor core that received it from the device.
    case processor
    /// By the device's receive queue.
    case queue
}

/// Which packets of an interface a port receives.
///
/// No tap sees what an XDP program or an AF_XDP socket takes or sends, nor what another packet socket sends
/// past the queueing discipline.
public enum PacketSocketDirection: String, Sendable, CaseIterable {
    /// What the interface has received.
    case received
    /// What this host sends by the interface, before the device computes what was left to it: checksums, and the
    /// segments of what is longer than the MTU. Such a packet is dropped as too long where it does not fit a frame.
    case sent
    /// Both, in the order in which they passed.
    case both
}

/// Who takes timestamps.
public enum PacketSocketTimestamps: String, Sendable, CaseIterable {
    /// The kernel, when it puts the packet into the ring: the system clock.
    case software
    /// The device, where it does so for received packets; else the kernel. Device clocks run by
    /// themselves unless something (phc2sys) sets them. The device must have been told to before:
    /// `hwstamp_ctl -i eth0 -r 1`, since that changes it for everybody.
    case hardware
}

/// The layout of a receive ring.
public enum PacketSocketReceiveRing: Sendable, Equatable {
    /// One slot for each packet (TPACKET_V2), of 2 or 4 KiB by the MTU. A packet can be received the
    /// moment the kernel has written it.
    ///
    /// `count` is a power of two from 16 to 65,536.
    case slots(count: Int)
    /// Packets one behind the other in blocks (TPACKET_V3). Small packets take less memory and a
    /// sleeping receiver is woken once a block; but the kernel hands over only whole blocks: when the next
    /// packet does not fit, or when `timeout` milliseconds have passed. So up to that much latency
    /// is added when packets are few, and on kernels before 6.18 up to two timer ticks (8 ms with
    /// HZ=250) more.
    ///
    /// `size` in bytes is a power of two from 4096 to 4 MiB, `count` from 2 to 4096, their product at
    /// most 1 GiB, and `timeout` from 1 to 1000.
    case blocks(size: Int, count: Int, timeout: Int)
}

extension PacketSocketOptions {
    func validate() throws(PacketSocketError) {
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>, powerOfTwo: Bool = false)
            throws(PacketSocketError)
        {
            guard range.contains(value), !powerOfTwo || value & (value - 1) == 0 else {
                let kind = powerOfTwo ? "a power of two from" : "from"
                throw .badOption(
                    name, value: "\(value)", allowed: "\(kind) \(range.lowerBound) to \(range.upperBound)")
            }
        }
        try check("workers", workers, 1...256)
        try check("transmitSlots", transmitSlots, 16...32768, powerOfTwo: true)
        switch receiveRing {
        case .slots(let count):
            try check("receiveRing.slots.count", count, 16...65536, powerOfTwo: true)
        case .blocks(let size, let count, let timeout):
            try check("receiveRing.blocks.size", size, 4096...(4 << 20), powerOfTwo: true)
            try check("receiveRing.blocks.count", count, 2...4096)
            try check("receiveRing.blocks, size times count", size * count, 8192...(1 << 30))
            try check("receiveRing.blocks.timeout", timeout, 1...1000)
        }
    }
}
