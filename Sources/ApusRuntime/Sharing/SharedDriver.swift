import ApusPorts
import ApusRings
import ApusWire

/// An interface as one of several workers sees it that share its queues, as there are fewer of them than workers.
///
/// Each flow belongs to one worker, by ``FlowHash``, whatever queue it comes in by. A worker that has a queue takes what
/// comes in by it, keeps what belongs to its own flows, and hands the rest to the others over a ring each. A worker without
/// a queue receives from these rings only, and passes what it sends over a ring to one that has: as AF_XDP has one
/// completion ring for each queue and memory, a second socket on the queue, only to send, would need a lock round that.
///
/// So the order within a flow is kept: its packets go one way, through queues that all keep it. When a ring is full because
/// its worker does not keep up, the packet is dropped as ``PortDrop/workerRingFull``, and the others go on. What can't be
/// passed on stays in the caller's burst, as with any port that has no room.
///
/// What is still in the rings to other workers counts as not received yet, as it does in the queues of a network card.
///
/// Only workers that share have this driver; the loop of all others is compiled without it.
struct SharedDriver<Own: PortDriver & ~Copyable>: PortDriver, ~Copyable {
    /// The queue of this worker; `nil` where it has none.
    var own: Port<Own>?
    /// The number of this worker, and of the one that sends for it.
    let worker, sender: Int
    private let bell: Bell?
    /// By worker, with none to itself; empty where nothing is shared, as the interface has a queue for each worker.
    var links: FixedArray<WorkerLink>
    /// What came in by the queue and was not looked at yet.
    private(set) var arrived = Burst()
    /// What is to be sent for others.
    var returning = Burst()
    private let spare: SpareFrames?
    private let waitSet: DescriptorSet?
    private var isWaiting = false
    private var firstLink = 0
    /// Who sends when there is more to send than there is room for.
    var turns = Turns()
    private(set) var ringFull = RingFull()
    let grant: PortGrant
    let maximumPacketSize: Int

    /// A queue that is not shared.
    init(alone port: consuming Port<Own>) {
        (grant, maximumPacketSize) = (port.grant, port.driver.maximumPacketSize)
        own = consume port
        (worker, sender, bell, spare) = (0, 0, nil, nil)
        links = FixedArray(count: 0) { _ in preconditionFailure() }
        waitSet = nil
    }

    /// A share of a worker that has a queue.
    init(_ port: consuming Port<Own>, _ all: consuming WorkerLinks) throws(ServiceError) {
        let descriptor = port.driver.readyDescriptor
        if descriptor >= 0 {
            let both = try DescriptorSet()
            try both.add(descriptor)
            try both.add(all.bell.descriptor)
            waitSet = consume both
        } else {
            waitSet = nil
        }
        (grant, maximumPacketSize) = (port.grant, port.driver.maximumPacketSize)
        own = consume port
        (worker, sender, bell, spare) = (all.worker, all.sender, all.bell, nil)
        links = all.links
    }

    /// A share of a worker that has none.
    ///
    /// - Parameters:
    ///   - spare: frames for copies.
    ///   - interface: its name; `backend`: what its queues have.
    ///   - longest: the longest packet that it sends.
    init(
        _ all: consuming WorkerLinks, spare: SpareFrames, interface: String, backend: Backend, longest: Int
    ) {
        let memory = spare.grant
        grant = PortGrant(
            backend: backend, interface: interface, queue: all.worker,
            features: [.init("queue", requested: "one", granted: "rings to worker \(all.sender)")]
                + [memory.nodeFeature].compactMap(\.self))
        own = nil
        maximumPacketSize = longest
        (worker, sender, bell, self.spare) = (all.worker, all.sender, all.bell, spare)
        links = all.links
        waitSet = nil
    }

    /// Whether queues are shared.
    var isShared: Bool { bell != nil }

    /// Takes the queue out of one that is not shared.
    consuming func intoOwn() -> Port<Own> { own.take()! }

    // MARK: - Receiving

    mutating func receive(into burst: inout Burst) -> Int {
        guard isShared else { return own!.receive(into: &burst) }
        if isWaiting { endWait() }
        let before = burst.count
        // No more than half of it from others, so that neither has to wait for the other.
        takeHanded(into: &burst, atMost: own == nil ? burst.room : burst.room / 2)
        if own != nil { spread(into: &burst) }
        return burst.count &- before
    }

    /// Takes what others have handed over, in turn.
    private mutating func takeHanded(into burst: inout Burst, atMost limit: Int) {
        var (left, link, seen) = (limit, firstLink, 0)
        while seen < links.count, left > 0 {
            left &-= links[link].takeHanded(into: &burst, atMost: left)
            link = link &+ 1 == links.count ? 0 : link &+ 1
            seen &+= 1
        }
        firstLink = link
    }

    /// Takes what comes in by the queue, keeps this worker's share, and hands over the rest.
    private mutating func spread(into burst: inout Burst) {
        if arrived.isEmpty, own!.receive(into: &arrived) == 0 { return }
        while burst.room > 0, let packet = arrived.popFirst() {
            let owner = self.owner(of: packet)
            if owner == worker {
                burst.append(packet)
            } else {
                hand(packet, to: owner)
            }
        }
        for link in links.indices { links[link].tell() }
    }

    /// What is of no flow, ARP for one, is for who has the queue.
    private func owner(of packet: borrowing Packet) -> Int {
        guard let hash = FlowHash.of(packet.bytes) else { return worker }
        return FlowHash.share(of: hash, among: links.count)
    }

    private mutating func hand(_ packet: consuming Packet, to worker: Int) {
        guard let refused = links[worker].hand(packet) else { return }
        ringFull.packets &+= 1
        ringFull.bytes &+= UInt64(truncatingIfNeeded: refused.totalCount)
    }

    // MARK: - Waiting

    var readyDescriptor: Int32 {
        switch waitSet {
        case .some(let set): set.descriptor
        case .none: ownDescriptor
        }
    }

    private var ownDescriptor: Int32 {
        switch own {
        // Of a queue that can't be waited for the rings can't either.
        case .some(let port): port.driver.readyDescriptor
        case .none: bellDescriptor
        }
    }

    private var bellDescriptor: Int32 { bell?.descriptor ?? -1 }

    mutating func mayWait() -> Bool {
        if own != nil, !own!.driver.mayWait() { return false }
        guard let bell else { return true }
        bell.await()
        isWaiting = true
        if !arrived.isEmpty || !returning.isEmpty { return false }
        for link in links.indices where links[link].hasPackets { return false }
        return true
    }

    @inline(never)
    private mutating func endWait() {
        isWaiting = false
        bell?.settle()
    }

    // MARK: - Frames

    var pool: FramePool {
        _read {
            switch own {
            case .some(let port): yield port.driver.pool
            case .none: yield spare!.pool
            }
        }
        _modify { if own != nil { yield &own!.driver.pool } else { yield &spare!.pool } }
    }

    mutating func takeFrame() -> Frame? {
        if own != nil { return unsafe own!.driver.takeFrame() }
        return unsafe spare!.take()
    }
}
