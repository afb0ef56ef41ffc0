import ApusConfig
import ApusEndHost
import ApusHost
import ApusPorts
import ApusRings
import ApusWire
import CLinux
import Glibc

/// An interface that the kernel does not have, as its host: answers on its link, and finds next hops. Belongs to the control
/// thread; the frames come and go by the workers that have its queues.
final class DeviceHost {
    /// Its name in the configuration.
    let name: String
    /// Its number among the forwarder's interfaces.
    let number: Int
    let mac: MACAddress
    let mtu: Int
    /// The NUMA node that it is on; nil where nobody knows.
    let node: Int?
    let counters = EndHostCounters()
    private(set) var host: EndHost
    private(set) var ends: FixedArray<DeviceSide.ControlEnd>
    /// Its link, as it was found last.
    private(set) var link = LinkWatch()
    /// Messages that went to another link-layer address.
    private(set) var othersMessages: UInt64 = 0
    /// Messages that were on their way when it was stopped.
    private(set) var stoppedMessages: UInt64 = 0
    private var pool: FramePool
    /// Where what is sent is written, as long as the longest frame; and where one that came in several parts is put together.
    private var buffer: [UInt8]
    private var whole: [UInt8]
    /// The neighbors of the plan in force.
    private var inUse: Set<IPAddress> = []
    private var nextRefresh: UInt64 = 0
    private var paths = NarrowPaths()
    /// Errors of routers that were about packets of streams, and told of a smaller MTU.
    private(set) var believedReports: UInt64 = 0
    private var hasPathChanged = false
    /// Own addresses that somebody else uses too: what is to be told of it, and until when, where it stays in use all the same.
    private var rivals: [IPAddress: (text: String, isGivenUp: Bool, until: UInt64)] = [:]
    /// What of that was not told yet.
    private(set) var conflicts: [String] = []
    /// What is wrong, for the status.
    var trouble: String? {
        if isLinkDown { return Self.linkDown }
        let now = Clock.monotonic
        return rivals.values.lazy.filter { $0.until > now }.map(\.text).min()
    }
    /// Whether nothing can come or go.
    var isLinkDown: Bool { link.report?.isUp == false }
    static let linkDown = "its link is down, so no packets come or go"

    /// How often those in use are wanted anew, in nanoseconds: often enough for them to be probed, and for one that has not
    /// answered to be asked once a second.
    private static var refreshInterval: UInt64 { 200_000_000 }

    init(
        _ name: String, number: Int, _ port: DPDKPortConfiguration, mac: MACAddress, mtu: Int, node: Int?,
        ends: consuming FixedArray<DeviceSide.ControlEnd>
    ) throws(ForwarderError) {
        (self.name, self.number, self.mac, self.mtu) = (name, number, mac, min(mtu, port.mtu))
        self.node = node
        var configuration = EndHostConfiguration(
            mac: mac, addresses: port.addresses,
            seed: .random(in: .min ... .max))
        configuration.mtu = min(mtu, port.mtu)
        for gateway in port.gateways {
            switch gateway {
            case .v4(let address): configuration.gatewayIPv4 = address
            case .v6(let address): configuration.gatewayIPv6 = address
            }
        }
        configuration.routes = port.routes.map {
            StaticRoute(to: $0.to, by: $0.via)
        }
        do throws(EndHostError) {
            host = try EndHost(configuration, at: Clock.monotonic)
        } catch {
            throw .required("\(name): \(error)")
        }
        // With two VLAN tags.
        let longest = max(14 + 8 + self.mtu, EndHost.longestOwnFrame)
        buffer = [UInt8](repeating: 0, count: longest)
        whole = buffer
        // Enough for all that may be under way by each worker, and some for long answers, which take several.
        let frames = DeviceSide.room * (ends.count + 3)
        self.ends = ends
        pool = try ForwarderError.lift { () throws(MemoryError) in
            // A device has room for more in each frame.
            try FrameMemory(frames: frames, frameSize: .bytes2048, hugePages: .never).makePool(frames: frames)
        }
    }

    /// What is to be told of addresses of its own that others use, each once.
    func takeConflicts() -> [String] {
        defer { conflicts = [] }
        return conflicts
    }

    /// Answers what came in, and sends what is due.
    ///
    /// - Returns: whether a next hop may be another now.
    func attend() -> Bool {
        let now = Clock.monotonic
        for end in ends.indices {
            // Bounded, so that a flood can't hold the control thread.
            var left = DeviceSide.room
            while left > 0, let packet = ends[end].fromWorker.dequeue() {
                receive(packet, end, now)
                left -= 1
            }
        }
        if now >= nextRefresh {
            nextRefresh = now &+ Self.refreshInterval
            for neighbor in inUse { _ = host.resolve(neighbor, at: now, counters: counters) }
            if paths.expire(at: now) { hasPathChanged = true }
        }
        var left = DeviceSide.room
        while left > 0, let count = advance(now) {
            send(count, by: 0, leaving: 0)
            left -= 1
        }
        var hasChanged = hasPathChanged
        hasPathChanged = false
        while let event = host.nextEvent() {
            switch event {
            case .neighbor(let address, _): hasChanged = hasChanged || inUse.contains(address)
            case .duplicate(let address, let mac, let isGivenUp):
                let text =
                    "its address \(address) is used by \(mac) too"
                    + (isGivenUp ? ", so it is not used here until that ends" : "")
                // Once for each that goes on, whatever link-layer addresses it comes from: anybody can make them up.
                let known = rivals[address]
                if known?.isGivenUp != isGivenUp || known!.until <= now { conflicts.append(text) }
                // One that is defended each time is over when nothing was heard of it for a minute.
                rivals[address] = (text, isGivenUp, isGivenUp ? .max : now &+ 60_000_000_000)
                // Packets are to be sent from another one, or not at all.
                hasChanged = hasChanged || isGivenUp
            case .regained(let address):
                rivals[address] = nil
                conflicts.append("its address \(address) is used here again")
                hasChanged = true
            }
        }
        return hasChanged
    }

    private func receive(_ packet: borrowing Packet, _ end: Int, _ now: UInt64) {
        if packet.isSegmented {
            let count = packet.copyBytes(to: &whole)
            let whole = whole
            receive(unsafe whole.span.bytes.extracting(first: count), end, now)
        } else {
            receive(packet.bytes, end, now)
        }
    }

    private func receive(_ frame: RawSpan, _ end: Int, _ now: UInt64) {
        var span = buffer.mutableSpan
        var answer = unsafe span.mutableBytes
        switch host.receive(frame, at: now, answer: &answer, counters: counters) {
        case .answer(let count): send(count, by: end, leaving: DeviceSide.room)
        case .path(let report): learn(report, now)
        case .taken: break
        case .notMine: othersMessages += 1
        }
    }

    private func advance(_ now: UInt64) -> Int? {
        var span = buffer.mutableSpan
        var frame = unsafe span.mutableBytes
        return host.advance(to: now, frame: &frame, counters: counters)
    }

    /// Has the first octets of the buffer sent, if so much room and as many frames are left for others then.
    private func send(_ count: Int, by end: Int, leaving room: Int) {
        guard ends[end].toWorker.free > room, pool.free > room + count / pool.memory.frameCapacity,
            let packet = pool.makePacket(of: unsafe buffer.span.bytes.extracting(first: count)),
            ends[end].toWorker.enqueue(packet) == nil
        else { return ends[end].counters.unqueued.add() }
        ends[end].worker.ring()
    }

    /// Notes what is said of its link, and what it has received so far. When it is up again, its addresses are made known anew.
    ///
    /// - Returns: whether it went up or down.
    func note(_ said: LinkReport?, received: UInt64) -> Bool {
        let now = Clock.monotonic
        guard link.note(said, received: received, at: now) else { return false }
        if !isLinkDown {
            host.announce(at: now)
            rivals = [:]
            hasPathChanged = true
        }
        return true
    }

    /// Counts what is under way to it and from it, when the workers are gone.
    func stop() {
        for end in ends.indices {
            while ends[end].fromWorker.dequeue() != nil { stoppedMessages += 1 }
            stoppedMessages += UInt64(ends[end].toWorker.count)
        }
    }

    /// Takes note of what a router says a path takes.
    private func learn(_ report: PathReport, _ now: UInt64) {
        let before = paths.mtu(to: report.packet.destination, at: now)
        guard paths.learn(report, at: now) else { return }
        believedReports += 1
        if paths.mtu(to: report.packet.destination, at: now) != before { hasPathChanged = true }
    }

    // MARK: what plans ask

    /// The neighbors of a plan, of which its own are kept fresh from now on, and what leaves by it.
    func use(_ neighbors: Set<Neighbor.Key>, _ flows: Set<NarrowPaths.Flow>) {
        paths.use(flows)
        inUse = Set(neighbors.lazy.filter { [number] in $0.interface == -1 - Int32(number) }.map(\.address))
    }

    /// Where frames for a neighbor go.
    func resolve(_ neighbor: IPAddress) -> NeighborResolution {
        host.resolve(neighbor, at: Clock.monotonic, counters: counters)
    }

    /// The address that packets to a destination have as their source.
    func source(to destination: IPAddress) -> IPAddress? { host.route(to: destination)?.source }

    /// Its own addresses.
    var addresses: [IPAddress] { host.addresses.map(\.address) }

    /// Whether an address is one of its own.
    func has(_ address: IPAddress) -> Bool { host.addresses.contains { $0.address == address } }

    /// Destinations of which a router said that they take less than the MTU.
    var narrowPaths: UInt64 { UInt64(paths.count(at: Clock.monotonic)) }

    /// The largest IP packet to a destination.
    func mtu(to destination: IPAddress) -> Int {
        min(paths.mtu(to: destination, at: Clock.monotonic) ?? mtu, mtu)
    }
}
