import ApusPorts
import ApusRTP
import ApusRings

@testable import ApusRuntime
@testable import ApusWire

/// Workers that share the queues of two in-memory interfaces: the camera's with so many queues, the screen's with one.
struct SharingRig: ~Copyable {
    typealias Worker = ForwardWorker<SharedDriver<MemoryDriver>>

    var workers: FixedArray<Worker?>
    /// The other ends of the camera's queues, and that of the screen's.
    var cameras: FixedArray<Port<MemoryDriver>>
    var screen: Port<MemoryDriver>
    var orders: [Handoff<SPSCProducer<Orders>>] = []
    let boards: [WorkerBoard]
    let flows: Int
    let frames: Int
    /// By flow: the number of the packet that is sent next, and of the one that is to come next or later.
    var sent: [UInt32]
    var next: [UInt32]
    var arrived = 0
    /// By flow: how many of those that arrived are of it.
    var came: [Int]

    init(
        workers count: Int, queues: Int, flows: Int = 16, ring: Int = 64, frames: Int = 1024,
        screenRing: Int? = nil
    ) throws {
        var nearEnds: [Handoff<Port<MemoryDriver>>] = []
        let cameraEnds = try FixedArray(count: queues) { (_) throws(MemoryError) in
            let pair = try MemoryPair(frames: frames, ringCapacity: 512, hugePages: .never)
            nearEnds.append(Handoff(pair.second))
            return pair.first
        }
        let far = try MemoryPair(frames: frames, ringCapacity: screenRing ?? 2 * frames, hugePages: .never)
        let (screenEnd, farEnd) = (Handoff(far.second), Handoff(far.first))
        var near = try WorkerLinks.mesh(workers: count, queues: queues, length: ring)
        var away = try WorkerLinks.mesh(workers: count, queues: 1, length: ring)
        var producers: [Handoff<SPSCProducer<Orders>>] = []
        let all = try FixedArray<Worker?>(count: count) { (worker) throws(any Error) in
            let one = try Self.share(near[worker].take()!, worker < queues ? nearEnds[worker] : nil)
            let other = try Self.share(away[worker].take()!, worker < 1 ? farEnd : nil)
            let ends = [Handoff(one), Handoff(other)]
            let inbox = SPSCRing<Orders>(minimumCapacity: 4)
            let outbox = SPSCRing<Orders>(minimumCapacity: 64)
            producers.append(Handoff(inbox.producer))
            return ForwardWorker(
                ports: FixedArray(count: 2) { ends[$0].take() }, interfaceOfPort: FixedArray(count: 2) { $0 },
                portOfInterface: FixedArray(count: 2) { $0 },
                outgoing: FixedArray(count: 2) { _ in Burst() }, copiesBetweenPorts: false,
                relay: Relay(slots: flows), macAddresses: FixedArray(repeating: MACAddress.zero, count: 2),
                waiting: WaitingQueue(capacity: 8), inbox: inbox.consumer, outbox: outbox.producer,
                idle: IdlePolicy())
        }
        workers = all
        cameras = cameraEnds
        screen = screenEnd.take()
        orders = producers
        boards = (0..<count).map { _ in WorkerBoard(slots: flows) }
        (self.flows, self.frames) = (flows, frames)
        (sent, next) = ([UInt32](repeating: 0, count: flows), [UInt32](repeating: 0, count: flows))
        came = [Int](repeating: 0, count: flows)
    }

    private static func share(
        _ links: consuming WorkerLinks, _ end: Handoff<Port<MemoryDriver>>?
    ) throws -> Port<SharedDriver<MemoryDriver>> {
        guard let end else {
            let memory = try FrameMemory(frames: 64, hugePages: .never)
            return Port(
                SharedDriver(
                    links, spare: SpareFrames(try memory.makePool(frames: 64)), interface: "memory",
                    backend: .memory, longest: 1514))
        }
        return Port(try SharedDriver(end.take(), links))
    }

    /// Gives a worker a plan: each flow is a stream, to as many destinations.
    mutating func order(_ worker: Int, generation: UInt64 = 1, destinations: Int = 1) {
        let streams = (0..<flows).map { flow in
            ForwardingPlan.Stream(
                slot: flow, generation: generation, listen: Self.listen(flow),
                destinations: (0..<destinations).map {
                    RelayRig.ready("10.2.0.\(1 + $0):\(6004 + 2 * flow)", from: "10.1.0.2:5004")
                })
        }
        var producer = orders[worker].take()
        let refused = producer.enqueue(
            Orders(
                ForwardingPlan(streams: streams, ownAddresses: []), slots: flows,
                interfaces: [RelayRig.near, RelayRig.far]))
        orders[worker].put(producer)
        precondition(refused == nil)
    }

    static func listen(_ flow: Int) -> Endpoint { Endpoint("10.1.0.2:\(5004 + 2 * flow)")! }

    /// The number of the worker that a flow belongs to.
    func owner(of flow: Int) -> Int {
        let (source, destination) = (UInt64(0x0a01_0001), UInt64(0x0a01_0002))
        let ports = UInt32(4000 + flow) << 16 | UInt32(5004 + 2 * flow)
        return FlowHash.share(of: FlowHash.hash(source, destination, ports), among: boards.count)
    }

    /// Sends the next packet of a flow to a queue; `false` when there is no room.
    mutating func send(_ flow: Int, queue: Int = 0) -> Bool {
        guard var packet = cameras[queue].makePacket() else { return false }
        let headers = UDPEncapsulation(
            nextHop: RelayRig.near, interface: RelayRig.camera, tags: VLANTags(),
            source: Endpoint("10.1.0.1:\(4000 + flow)")!, destination: Self.listen(flow), hopLimit: 64)!
        let number = sent[flow]
        let payload = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
        precondition(packet.append(headers.byteCount + 4))
        var bytes = packet.mutableBytes
        let checksum = unsafe headers.checksum(of: payload.span.bytes)
        try! headers.encode(into: &bytes, payloadLength: 4, udpChecksum: checksum)
        for (offset, byte) in payload.enumerated() {
            bytes.storeBytes(of: byte, toByteOffset: headers.byteCount + offset, as: UInt8.self)
        }
        var burst = Burst()
        burst.append(packet)
        guard cameras[queue].transmit(&burst) == 1 else { return false }
        sent[flow] += 1
        return true
    }

    /// Whether a worker may wait at a port.
    mutating func mayWait(_ worker: Int, _ port: Int) -> Bool {
        workers[worker]!.ports[port].driver.mayWait()
    }

    /// One round of a worker's loop.
    mutating func round(_ worker: Int) -> Int {
        _ = workers[worker]!.takeOrders(boards[worker].counters)
        return workers[worker]!.round(boards[worker].counters)
    }

    /// Takes what arrived at the screen. `false` if a flow's packets came out of order.
    mutating func check() -> Bool {
        var burst = Burst()
        var isInOrder = true
        while screen.receive(into: &burst) > 0 {
            while let packet = burst.popFirst() {
                let one = Arrived(packet)
                arrived += 1
                let flow = Int(one.headers.destination.port - 6004) / 2
                came[flow] += 1
                let number = one.payload.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                if number < next[flow] { isInOrder = false }
                // Copies for further destinations have the same number.
                next[flow] = number
            }
        }
        return isInOrder
    }

    /// Rounds of all workers until nothing comes any more.
    mutating func settle() -> Bool {
        var (quiet, isInOrder) = (0, true)
        while quiet < 4 {
            var count = 0
            for worker in boards.indices { count += round(worker) }
            let before = arrived
            isInOrder = check() && isInOrder
            quiet = count == 0 && arrived == before ? quiet + 1 : 0
        }
        return isInOrder
    }

    /// What ports have dropped as a ring was full.
    mutating func ringFull() -> Int {
        var sum: UInt64 = 0
        for worker in boards.indices {
            for port in 0..<2 { sum += workers[worker]!.ports[port].statistics().drops[.workerRingFull] }
        }
        return Int(sum)
    }

    /// What was received and sent, by the ports and by the workers, and what was dropped by name.
    mutating func isConserved() -> Bool {
        var (received, taken, handed, copies, losses): (UInt64, UInt64, UInt64, UInt64, UInt64) = (
            0, 0, 0, 0, 0
        )
        var (sent, pending): (UInt64, UInt64) = (0, 0)
        for worker in boards.indices {
            let near = workers[worker]!.ports[0].statistics()
            received += near.received
            let far = workers[worker]!.ports[1].statistics()
            (sent, pending) = (sent + far.sent, pending + far.pending)
            taken += boards[worker].counters.received.value
            handed += boards[worker].counters.sent.value
            copies += boards[worker].counters.copies.value
            for drop in RelayDrop.allCases where !drop.isRefusal {
                losses += boards[worker].counters.drops[drop.rawValue].value
            }
        }
        return received == taken && sent + pending == handed && copies == handed + losses && sent == arrived
    }

    /// Whether every frame is back in its pool, when nothing is under way.
    mutating func isDrained() -> Bool {
        var isAll = screen.driver.pool.free == frames
        for queue in cameras.indices { isAll = cameras[queue].driver.pool.free == frames && isAll }
        for worker in boards.indices {
            for port in 0..<2 {
                let free = workers[worker]!.ports[port].driver.pool.free
                isAll = free == workers[worker]!.ports[port].driver.pool.capacity && isAll
                isAll = workers[worker]!.ports[port].driver.framesInside == 0 && isAll
            }
        }
        return isAll
    }
}
