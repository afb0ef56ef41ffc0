import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

@testable import ApusRuntime

/// A forwarder's worker between two in-memory interfaces, driven step by step on the test's thread.
struct RelayRig: ~Copyable {
    static let camera = MACAddress("02:00:00:00:01:01")!
    static let near = MACAddress("02:00:00:00:01:02")!
    static let far = MACAddress("02:00:00:00:02:02")!
    static let screen = MACAddress("02:00:00:00:02:01")!

    var worker: ForwardWorker<MemoryDriver>
    /// The other ends of the relay's two interfaces.
    var cameraPort: Port<MemoryDriver>
    var screenPort: Port<MemoryDriver>
    var orders: SPSCProducer<Orders>
    var retired: SPSCConsumer<Orders>
    let counters: RelayCounters
    let slots: Int
    let frames: Int

    init(slots: Int = 4, frames: Int = 256, ring: Int = 128, waiting: Int = 8) throws {
        let first = try MemoryPair(frames: frames, ringCapacity: ring, hugePages: .never)
        let second = try MemoryPair(frames: frames, ringCapacity: ring, hugePages: .never)
        cameraPort = first.first
        screenPort = second.second
        var relayEnds: [Handoff<Port<MemoryDriver>>] = [Handoff(first.second), Handoff(second.first)]
        let inbox = SPSCRing<Orders>(minimumCapacity: 4)
        let outbox = SPSCRing<Orders>(minimumCapacity: 8)
        orders = inbox.producer
        retired = outbox.consumer
        worker = ForwardWorker(
            ports: FixedArray(count: 2) { _ in relayEnds.removeFirst().take() },
            interfaceOfPort: FixedArray(count: 2) { $0 }, portOfInterface: FixedArray(count: 2) { $0 },
            outgoing: FixedArray(count: 2) { _ in Burst() }, copiesBetweenPorts: false,
            relay: Relay(slots: slots), macAddresses: FixedArray(repeating: MACAddress.zero, count: 2),
            waiting: WaitingQueue(capacity: waiting), inbox: inbox.consumer, outbox: outbox.producer,
            idle: IdlePolicy())
        counters = RelayCounters(slots: slots)
        self.slots = slots
        self.frames = frames
    }

    /// Gives the worker a plan, which it takes up.
    mutating func order(_ streams: [ForwardingPlan.Stream], own: [IPAddress] = []) {
        let refused = orders.enqueue(
            Orders(
                ForwardingPlan(streams: streams, ownAddresses: own), slots: slots,
                interfaces: [Self.near, Self.far]))
        precondition(refused == nil)
        _ = worker.takeOrders(counters)
        worker.attend(Clock.monotonic, counters)
    }

    /// Sends a datagram from the camera to an endpoint, and lets the worker work.
    mutating func send(
        _ payload: [UInt8], to destination: Endpoint, from source: Endpoint = Endpoint("10.1.0.1:4000")!,
        tags: VLANTags = VLANTags(), hopLimit: UInt8 = 64, checksum: UInt16? = nil
    ) {
        queue(payload, to: destination, from: source, tags: tags, hopLimit: hopLimit, checksum: checksum)
        run()
    }

    /// Sends a datagram from the camera to an endpoint, which stays in the worker's ring.
    mutating func queue(
        _ payload: [UInt8], to destination: Endpoint, from source: Endpoint = Endpoint("10.1.0.1:4000")!,
        tags: VLANTags = VLANTags(), hopLimit: UInt8 = 64, checksum: UInt16? = nil
    ) {
        var packet = cameraPort.makePacket()!
        let headers = UDPEncapsulation(
            nextHop: Self.near, interface: Self.camera, tags: tags, source: source, destination: destination,
            hopLimit: hopLimit)!
        precondition(packet.append(headers.byteCount + payload.count))
        var bytes = packet.mutableBytes
        let right = unsafe headers.checksum(of: payload.span.bytes)
        try! headers.encode(
            into: &bytes, payloadLength: payload.count, udpChecksum: checksum ?? right)
        for (offset, byte) in payload.enumerated() {
            bytes.storeBytes(of: byte, toByteOffset: headers.byteCount + offset, as: UInt8.self)
        }
        var burst = Burst()
        burst.append(packet)
        cameraPort.transmit(&burst)
        precondition(burst.isEmpty)
    }

    /// Lets the worker do a round.
    mutating func run() {
        _ = worker.round(counters)
        _ = worker.takeOrders(counters)
        worker.attend(Clock.monotonic, counters)
        _ = worker.round(counters)
    }

    /// What arrived at the screen: headers, payload and link-layer addresses of each packet.
    mutating func arrivals() -> [Arrived] {
        var all: [Arrived] = []
        var burst = Burst()
        while screenPort.receive(into: &burst) > 0 {
            while let packet = burst.popFirst() { all.append(Arrived(packet)) }
        }
        return all
    }

    /// Drops counted, by name.
    var drops: [String: UInt64] {
        var status = ForwarderStatus()
        status.add(counters)
        return status.drops
    }

    /// Whether nothing got lost without a name, and every frame is somewhere.
    mutating func isConserved() -> Bool {
        var (refused, lost): (UInt64, UInt64) = (0, 0)
        for failure in ParseFailure.allCases {
            refused += counters.parseFailures[Int(failure.rawValue)].value
        }
        for drop in RelayDrop.allCases {
            if drop.isRefusal {
                refused += counters.drops[drop.rawValue].value
            } else {
                lost += counters.drops[drop.rawValue].value
            }
        }
        return counters.received.value == counters.accepted.value + refused
            && counters.copies.value == counters.sent.value + lost + counters.waiting.value
    }

    /// Whether every frame is back in its pool.
    mutating func isDrained() -> Bool {
        cameraPort.flush()
        screenPort.flush()
        return cameraPort.driver.pool.free == frames && screenPort.driver.pool.free == frames
            && worker.ports[0].driver.pool.free == frames && worker.ports[1].driver.pool.free == frames
    }

    /// A destination behind the second interface.
    static func ready(
        _ endpoint: String, from source: String, tags: VLANTags = VLANTags(), mtu: Int = 1500
    ) -> Destination {
        let endpoint = Endpoint(endpoint)!
        return Destination(
            endpoint,
            path: .ready(
                interface: 1,
                UDPEncapsulation(
                    nextHop: screen, interface: far, tags: tags, source: Endpoint(source)!,
                    destination: endpoint)!,
                maximumPacketSize: mtu + 14 + tags.byteCount))
    }
}

/// A packet as it arrived.
struct Arrived {
    let headers: FlowHeaders
    let payload: [UInt8]
    let isChecksumRight: Bool
    let source: MACAddress
    let destination: MACAddress

    init(_ packet: borrowing Packet) {
        headers = try! FlowHeaders(checking: packet.bytes)
        let state = headers.udpChecksumState(in: packet.bytes)
        isChecksumRight = state == .valid || state == .absent
        let ethernet = try! EthernetView(checking: packet.bytes)
        (source, destination) = (ethernet.source, ethernet.destination)
        let bytes = headers.payload(of: packet.bytes)
        payload = (0..<bytes.byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
}
