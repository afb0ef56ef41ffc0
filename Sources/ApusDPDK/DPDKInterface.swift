import ApusDevices
import ApusHost
public import ApusPorts
import ApusRings
public import ApusWire
import CDPDK
import Glibc
import Synchronization

/// A network device that DPDK has: by PCI address, or a virtual one.
///
/// The kernel does not know it, so nobody answers for its addresses but the program. Each of its queues is opened as a port of
/// its own; the device is let go of when the last port and this object are gone.
///
/// ```swift
/// let interface = try DPDKInterface("net_tap0,iface=tap0")
/// var port = try interface.open(queue: 0)
/// ```
public final class DPDKInterface: @unchecked Sendable {
    // Sendable: all but `queues` is set when it is made, and those are behind a lock.
    /// The name that it was opened by.
    public let name: String
    /// DPDK's driver of it: `net_ixgbe`.
    public let driver: String
    /// Its link-layer address; where the device has none, that of the options or one made up, which it does not know of.
    public let mac: MACAddress
    /// The longest packet it takes, without the Ethernet header, in octets.
    public var mtu: Int { currentMTU.load(ordering: .relaxed) }
    let currentMTU: Atomic<Int>
    /// How many queues it has in each direction.
    public let queueCount: Int
    let port: UInt16
    let portNumber: UInt16
    let takesSegments: Bool
    let offloads: Offloads
    let event: apus_port_event
    let features: [PortGrant.Feature]
    let pages: EAL.Pages
    /// Packets that the device has not sent after all, and that are in no queue's figures yet.
    let unsent = Atomic<UInt64>(0)
    /// The node that it is on, of a host with several; `nil` where nobody knows.
    public let node: Int?
    private let memories: [MbufMemory]
    private let claim: InterfaceClaim?
    private let opened: Mutex<Set<Int>>

    /// Opens a device and starts it; starts DPDK if that does not run yet.
    ///
    /// Over an interface of the kernel's (net_tap, net_af_packet, net_af_xdp) one program of Apus's has a device at a time.
    public init(_ name: String, _ options: DPDKOptions = DPDKOptions()) throws(DPDKError) {
        let device = try DPDKDevice.named(name)
        try Self.check(options, name)
        try device.check(name)
        EAL.beginChange()
        defer { EAL.endChange() }
        try EAL.ensureStarted()
        var claim = try device.claim(name)
        let octets =
            options.queues * MbufMemory.megabytes(frames: options.framesPerQueue, room: options.room) << 20
        let port: UInt16
        do throws(DPDKError) { port = try Self.probe(device, name) } catch {
            throw error.explained(by: device, locking: octets)
        }
        do throws(DPDKError) {
            // A tap is there only now.
            if claim == nil { claim = try device.claim(name) }
            self.claim = claim
            var info = apus_port_info()
            guard unsafe apus_port_info(port, &info) == 0 else {
                throw DPDKError(name, .notSetUp(step: "asking what it can do", code: EIO, log: []))
            }
            let most = Int(min(info.max_rx_queues, info.max_tx_queues))
            guard options.queues <= most else {
                throw DPDKError(name, .tooManyQueues(wanted: options.queues, most: most))
            }
            // Of a driver that sends no packet in several frames each frame takes the longest one.
            var options = options
            if info.tx_offloads & APUS_TX_MULTI_SEGS == 0 {
                options.room = max(options.room, min(Self.room(for: options.mtu ?? 1500), Self.mostRoom))
            }
            pages = EAL.pages ?? EAL.Pages()
            var memories: [MbufMemory] = []
            for queue in 0..<options.queues {
                let node = options.nodes.isEmpty ? nil : options.nodes[queue % options.nodes.count]
                memories.append(
                    try MbufMemory(
                        frames: options.framesPerQueue, room: options.room, node: node, near: info.socket,
                        pages: pages, for: name))
            }
            let got = try Self.setUp(port, info, options, memories, name)
            (self.name, self.port, self.memories) = (name, port, memories)
            driver = unsafe withUnsafeBytes(of: info.driver) { unsafe Self.text($0) }
            (queueCount, portNumber) = (options.queues, options.portNumber)
            let own = Self.mac(of: port)
            mac = own != .zero ? own : options.mac ?? .randomLocal
            currentMTU = Atomic(Self.mtu(of: port))
            node = info.socket < 0 ? nil : Int(info.socket)
            (takesSegments, offloads, event) = (got.takesSegments, got.offloads, got.event)
            let address = own != .zero ? nil : Self.softwareAddress(mac, wanted: options.mac, of: driver)
            features = got.features + [address, device.queuesLeft].compactMap(\.self)
            opened = Mutex([])
            EAL.devices.add(1, ordering: .relaxed)
        } catch {
            _ = apus_port_close(port)
            throw error.explained(by: device, locking: octets)
        }
    }

    deinit {
        EAL.beginChange()
        defer { EAL.endChange() }
        apus_port_stop(port)
        _ = apus_port_close(port)
        EAL.devices.subtract(1, ordering: .relaxed)
    }

    /// Opens one of its queues as a port.
    public func open(queue: Int = 0) throws(DPDKError) -> Port<DPDKDriver> {
        guard (0..<queueCount).contains(queue) else {
            throw DPDKError(name, .noSuchQueue(queue, queues: queueCount))
        }
        guard opened.withLock({ $0.insert(queue).inserted }) else { throw DPDKError(name, .queueBusy(queue)) }
        // There is a pool still where a port was dropped on another thread than its own.
        guard let pool = memories[queue].lend() else {
            closed(queue)
            throw DPDKError(name, .queueBusy(queue))
        }
        return Port(DPDKDriver(interface: self, queue: queue, memory: memories[queue], pool: pool))
    }

    /// The longest packet it sends: the MTU, the Ethernet header and two VLAN tags.
    var longestPacket: Int { mtu + 14 + 8 }

    /// Takes so many of ``unsent`` into the figures of a queue, if there are as many.
    func takeUnsent(atMost most: UInt64) -> UInt64 {
        var there = unsent.load(ordering: .relaxed)
        while min(there, most) > 0 {
            let part = min(there, most)
            let (isDone, now) = unsent.compareExchange(
                expected: there, desired: there - part, ordering: .relaxed)
            if isDone { return part }
            there = now
        }
        return 0
    }

    private static var mostRoom: Int { 16 << 10 }

    /// What a frame has room for so that the longest packet can be made in it too, which begins further behind than a received one.
    private static func room(for mtu: Int) -> Int {
        mtu + 14 + 8 + FramePool.dataOffset - FramePool.headerSize - MbufMemory.headroom
    }

    func closed(_ queue: Int) { opened.withLock { _ = $0.remove(queue) } }

    private static func check(_ options: DPDKOptions, _ name: String) throws(DPDKError) {
        func check(_ what: String, _ value: Int, _ range: ClosedRange<Int>) throws(DPDKError) {
            guard range.contains(value) else {
                throw DPDKError(
                    name, .badSize("\(what) is \(range.lowerBound) to \(range.upperBound), not \(value)"))
            }
        }
        try check("the number of queues", options.queues, 1...1024)
        try check("the number of receive descriptors", options.receiveDescriptors, 32...32768)
        try check("the number of transmit descriptors", options.transmitDescriptors, 32...32768)
        try check(
            "the number of frames of a queue", options.framesPerQueue,
            options.receiveDescriptors + options.transmitDescriptors + 512...1 << 20)
        try check("the room of a frame", options.room, 1024...Self.mostRoom)
        if let mtu = options.mtu { try check("the MTU", mtu, 68...65535) }
    }

    private static func probe(_ device: DPDKDevice, _ name: String) throws(DPDKError) -> UInt16 {
        guard unsafe !apus_port_exists(device.name) else { throw DPDKError(name, .alreadyOpen) }
        var port: UInt16 = 0
        let probed = EALLog.collecting { unsafe apus_port_probe(device.argument, device.name, &port) }
        guard probed.result == 0 else {
            throw DPDKError(name, .notTaken(code: -probed.result, log: probed.log))
        }
        return port
    }

    static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// That a device has no link-layer address: what it gets is known to its user alone, who sees all packets.
    private static func softwareAddress(
        _ mac: MACAddress, wanted: MACAddress?, of driver: String
    ) -> PortGrant.Feature {
        PortGrant.Feature(
            "link-layer address", requested: wanted.map { "\($0)" } ?? "its own",
            granted: "\(mac) in software", reason: "the driver \(driver) has none")
    }

    private static func mac(of port: UInt16) -> MACAddress {
        var octets = [UInt8](repeating: 0, count: 6)
        // Sound: it writes six octets.
        unsafe _ = apus_port_mac(port, &octets)
        return MACAddress(bits: octets.reduce(0) { $0 << 8 | UInt64($1) })
    }

    private static func mtu(of port: UInt16) -> Int {
        var mtu: UInt16 = 0
        return unsafe apus_port_mtu(port, &mtu) == 0 ? Int(mtu) : 1500
    }
}

extension MACAddress {
    /// One that is locally administered, and no group's (IEEE 802, section 8.4).
    fileprivate static var randomLocal: MACAddress {
        MACAddress(bits: 0x0200_0000_0000 | UInt64.random(in: 0..<1 << 40))
    }
}

extension DPDKInterface: CustomStringConvertible {
    /// Its name, and DPDK's driver of it.
    public var description: String { "\(name) (\(driver))" }
}
