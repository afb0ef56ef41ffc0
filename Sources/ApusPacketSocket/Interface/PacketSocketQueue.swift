import ApusHost
import ApusPorts
import CLinux
import Glibc
import Synchronization

/// The sockets and rings of one worker. The driver uses them; the interface changes their filter.
@safe
final class PacketSocketQueue: @unchecked Sendable {
    // Sendable: all is constant but `opened`, which has a lock; the two addresses are for the one driver of the queue.
    let interface: String
    let worker: Int
    let receiveSocket: Int32
    let transmitSocket: Int32
    /// The longest packet the interface sends, as it was when this was opened.
    let longestSent: Int
    /// Whether the kernel tells which packets are merged datagrams.
    let knowsMerged: Bool
    /// Room for a packet that is longer than a slot of the ring, with what the kernel tells of it.
    @unsafe let copyBuffer: UnsafeMutableRawPointer?
    /// The longest IP packet, Ethernet header and two tags, and the ``VirtioHeader``.
    static let copySize = 65535 + 22 + VirtioHeader.byteCount
    private let index: Int32
    private let receiveLayout: RingLayout
    private let transmitLayout: RingLayout
    @unsafe private let receiveBase: UnsafeMutableRawPointer
    @unsafe private let transmitBase: UnsafeMutableRawPointer
    // The driver may close them on its thread while the interface changes the filter on another.
    private let opened: Mutex<Opened?>

    private struct Opened: ~Copyable {
        let receiveMemory: RingMemory
        let transmitMemory: RingMemory
        let receive: PacketSocket
        let transmit: PacketSocket

        func renewReceiveRing(_ layout: RingLayout) -> Bool {
            guard receiveMemory.letGo() else { return false }
            guard receive.trySet(PACKET_RX_RING, to: tpacket_req()) == nil,
                receive.trySet(PACKET_RX_RING, to: layout.slots) == nil
            else { return false }
            return receiveMemory.map(of: receive.descriptor)
        }
    }

    /// Opens both sockets, with nothing coming in yet.
    init(_ facts: InterfaceFacts, worker: Int, options: PacketSocketOptions) throws(PacketSocketError) {
        interface = facts.name
        index = facts.index
        self.worker = worker
        longestSent = facts.mtu + Int(ETH_HLEN)
        receiveLayout = RingLayout(receiving: options.receiveRing, mtu: facts.mtu)
        transmitLayout = RingLayout(sending: options.transmitSlots, mtu: facts.mtu)

        let receive = try PacketSocket(interface: facts.name)
        // Before it is bound, so that not one packet comes in which nobody asked for.
        try receive.attach(PacketSocketFilter.nothing.program(promiscuous: false, .received)!)
        let version = receiveLayout.timeout == nil ? TPACKET_V2 : TPACKET_V3
        try receive.set(PACKET_VERSION, to: version.rawValue, what: "no ring of this kind (PACKET_VERSION)")
        let stamps =
            options.timestamps == .hardware
            ? Int32(SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_SOFTWARE)
            : Int32(SOF_TIMESTAMPING_SOFTWARE)
        try receive.set(PACKET_TIMESTAMP, to: stamps, what: "no timestamps (PACKET_TIMESTAMP)")
        // Spares the filter a run for each sent packet; Linux before 4.20 does not have it.
        if options.direction == .received { _ = receive.trySet(PACKET_IGNORE_OUTGOING, to: 1 as Int32) }
        knowsMerged = options.filter.isOfUDP && Self.tellMerged(receive)
        let usesCopies = knowsMerged && receiveLayout.timeout == nil
        if usesCopies {
            // What is longer than a slot is queued too, to be read with recv(2), as far as there is room.
            _ = receive.trySet(PACKET_COPY_THRESH, to: 1 as Int32)
            let room = Int32(4 << 20)
            if receive.trySet(SO_RCVBUFFORCE, level: SOL_SOCKET, to: room) != nil {
                _ = receive.trySet(SO_RCVBUF, level: SOL_SOCKET, to: room)
            }
        }
        let receiveMemory = try receiveLayout.makeRing(PACKET_RX_RING, on: receive, called: "receive")
        try receive.bind(index: facts.index, ethertype: ETH_P_ALL)
        if options.promiscuous {
            var membership = packet_mreq()
            membership.mr_ifindex = facts.index
            membership.mr_type = UInt16(PACKET_MR_PROMISC)
            try receive.set(PACKET_ADD_MEMBERSHIP, to: membership, what: "promiscuous mode was refused")
        }

        // A second socket for sending: without a protocol it is in nobody's receive path.
        let transmit = try PacketSocket(interface: facts.name)
        if options.bypassesQueueing {
            try transmit.set(PACKET_QDISC_BYPASS, to: 1 as Int32, what: "PACKET_QDISC_BYPASS was refused")
        }
        // The packets on their way count against it. The kernel cuts it to net.core.wmem_max,
        // and then takes fewer packets at a time.
        let buffer = Int32(min(transmitLayout.byteCount + 1024 * transmitLayout.count, Int(Int32.max / 2)))
        try transmit.set(SO_SNDBUF, level: SOL_SOCKET, to: buffer, what: "no send buffer (SO_SNDBUF)")
        let transmitBytes = unsafe TransmitRing.byteCount(
            count: transmitLayout.count, slotSize: transmitLayout.stride)
        guard let transmitMemory = RingMemory(byteCount: transmitBytes) else {
            throw .ringRefused(
                interface: facts.name, ring: "transmit", bytes: transmitBytes, cause: systemError())
        }
        try transmit.bind(index: facts.index, ethertype: 0)

        (receiveSocket, transmitSocket) = (receive.descriptor, transmit.descriptor)
        unsafe copyBuffer = usesCopies ? .allocate(byteCount: Self.copySize, alignment: 16) : nil
        unsafe receiveBase = receiveMemory.base
        unsafe transmitBase = transmitMemory.base
        opened = Mutex(
            Opened(
                receiveMemory: receiveMemory, transmitMemory: transmitMemory, receive: receive,
                transmit: transmit))
    }

    deinit { unsafe copyBuffer?.deallocate() }

    /// Makes the kernel put a ``VirtioHeader`` in front of each packet, if it knows UDP in it.
    ///
    /// That is since Linux 6.2 (`virtio_net_hdr_from_skb` in include/linux/virtio_net.h). Before, it drops merged
    /// datagrams when it is to tell of them, counted as `receive_ring_full`, and with them all that follows; see
    /// `takeDrops`. Not told of, they come as one long datagram there, which nothing shows.
    private static func tellMerged(_ socket: borrowing PacketSocket) -> Bool {
        HostFacts.KernelVersion.running.isAtLeast(6, 2)
            && socket.trySet(PACKET_VNET_HDR, to: 1 as Int32) == nil
    }

    /// Makes the receive ring anew; what is in it is lost. Must be called by the thread that reads the ring.
    func renewReceiveRing() -> Bool {
        opened.withLock { $0?.renewReceiveRing(receiveLayout) ?? false }
    }

    func joinFanout(_ group: UInt16?, typeAndFlags: Int32) throws(PacketSocketError) -> UInt16? {
        try opened.withLock { opened throws(PacketSocketError) in
            try opened?.receive.joinFanout(group, typeAndFlags: typeAndFlags)
        }
    }

    /// Replaces the filter, unless the worker has closed its port already.
    func attach(_ program: [sock_filter]) throws(PacketSocketError) {
        try opened.withLock { opened throws(PacketSocketError) in try opened?.receive.attach(program) }
    }

    /// Takes the worker out of the group and gives the rings back. The driver must be done with them.
    func close() {
        opened.withLock { $0 = nil }
    }

    /// Whether the interface that was opened is gone.
    var isDetached: Bool {
        opened.withLock { ($0?.receive.boundIndex ?? -1) < 0 }
    }

    /// The MTU as it is now, in bytes; `nil` when the interface is gone.
    func currentMTU() -> Int? { InterfaceFacts.mtu(transmitSocket, index: index) }

    func makeReceiveRing() -> ReceiveRing {
        unsafe ReceiveRing(
            base: receiveBase, count: receiveLayout.count, stride: receiveLayout.stride,
            usesBlocks: receiveLayout.timeout != nil, knowsMerged: knowsMerged)
    }

    func makeTransmitRing() -> TransmitRing {
        unsafe TransmitRing(
            base: transmitBase, count: transmitLayout.count, slotSize: transmitLayout.stride)
    }
}
