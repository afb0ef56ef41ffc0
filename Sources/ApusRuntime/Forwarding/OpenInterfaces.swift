import ApusConfig
import ApusHost
import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import CLinux
import Glibc

/// The interfaces of a forwarder, opened with the best backend that can be had.
final class OpenInterfaces {
    /// One interface, by the backend that was granted.
    enum Opened {
        case xdp(XDPInterface)
        case packet(PacketSocketInterface, FrameMemory, framesPerWorker: Int)
        case dpdk(OpenDevice)
    }

    /// Their names; the position is the interface's number.
    let names: [String]
    /// By number: `nil` while it is gone.
    var opened: [Opened?] = []
    /// By number: what became of the backend, the queues and the workers that were asked for.
    var choices: [[PortGrant.Feature]]
    /// By number: the receive queues it had when it was opened first, for which there are frames.
    let queuesAtStart: [Int]
    /// How many workers there are to be.
    let workers: Int
    /// By worker, the NUMA node of its core; empty where the host has one, or none is pinned.
    let nodes: [Int]
    /// By number: the index it had when it was opened, and has for life. A name may go over to another.
    var indices: [Int32]
    private(set) var served: Set<Endpoint> = []
    /// Those that are gone, by number: why they are not open.
    var absences: [Int: String] = [:]
    /// By number: when it may be tried to open it again, in nanoseconds of the monotonic clock.
    var nextTries: [Int: UInt64] = [:]
    /// What is wrong with those that are open, by number, as ``check(on:)`` found it last.
    var troubles: [Int: String] = [:]
    /// Those of them that receive nothing, by number.
    var deaf: Set<Int> = []
    /// By number: what was open over AF_XDP when it went, or could not have its queues, and has the frames.
    var former: [Int: XDPInterface] = [:]
    /// By number: what the XDP programs have counted that were there before.
    var pastSteering: [Int: SteeringCounters] = [:]
    /// What all interfaces that may get AF_XDP share.
    let memory: XDPMemory?
    /// Rung when there are frames for the hosts of devices that the kernel does not have.
    let bell: Bell
    /// By number: the frames of the workers that have no queue of it, in their order.
    var spareFrames: [Int: [SpareFrames]] = [:]

    /// Opens all of them. Throws when one can't be had as the configuration requires; none stays open then.
    init(_ names: [String], configuration: ForwarderConfiguration, host: HostView) throws(ForwarderError) {
        self.names = names
        do throws(ServiceError) { bell = try Bell(isAwaited: true) } catch { throw .required("\(error)") }
        // Of what the kernel does not have they are below 0, and say the number.
        indices = names.enumerated().map { number, name in
            configuration.port(on: name).dpdk != nil
                ? -1 - Int32(number) : (try? host.link(named: name).index) ?? 0
        }
        choices = names.map { _ in [] }
        queuesAtStart = names.map { Self.receiveQueues(of: $0) }
        let endpoints = Self.endpoints(of: configuration, on: host)
        workers = Self.workerCount(names, configuration, host)
        nodes = Self.nodes(of: configuration.workers, count: workers)
        memory = try Self.sharedMemory(names, configuration, host, workers: workers, nodes: nodes)
        for (number, name) in names.enumerated() {
            let (interface, choice) =
                configuration.port(on: name).dpdk != nil
                ? try openDevice(name, number, configuration)
                : try Self.open(
                    name, configuration.port(on: name), endpoints, workers: workers, nodes: nodes,
                    sharing: memory)
            opened.append(interface)
            note(choice, number, configuration)
        }
        try serve(endpoints)
    }

    private func openDevice(
        _ name: String, _ number: Int, _ configuration: ForwarderConfiguration
    ) throws(ForwarderError) -> (Opened, PortGrant.Feature) {
        let device = try OpenDevice(
            name, number: number, configuration.port(on: name), workers: workers, nodes: nodes,
            sleeps: configuration.workers.sleep > 0, bell: bell,
            configuration.dpdk)
        return (.dpdk(device), PortGrant.Feature("backend", requested: "dpdk", granted: "dpdk"))
    }

    /// The devices that the kernel does not have, in their order.
    var openDevices: [OpenDevice] {
        opened.compactMap { if case .dpdk(let device)? = $0 { device } else { nil } }
    }

    /// They as their hosts, by name.
    var devices: [String: DeviceHost] {
        Dictionary(uniqueKeysWithValues: openDevices.map { ($0.host.name, $0.host) })
    }

    /// As many workers as the configuration says, else as many as every interface has queues.
    static func workerCount(
        _ names: [String], _ configuration: ForwarderConfiguration, _ host: HostView
    ) -> Int {
        if let asked = configuration.workers.count ?? configuration.workers.cpus?.count { return asked }
        var queues = Int.max
        for name in names where configuration.port(on: name).backend.mayBeXDP {
            queues = min(queues, receiveQueues(of: name))
        }
        return queues == .max ? 1 : max(1, queues)
    }

    private static func nodes(of workers: WorkerConfiguration, count: Int) -> [Int] {
        guard let cpus = workers.cpus, !cpus.isEmpty else { return [] }
        let nodes = (0..<count).compactMap { MemoryNode.of(cpu: cpus[$0 % cpus.count]) }
        return nodes.count == count ? nodes : []
    }

    /// The node of a worker's core, see ``nodes``.
    func node(ofWorker worker: Int) -> Int? { nodes.isEmpty ? nil : nodes[worker % nodes.count] }

    /// The receive queues that are in use.
    static func receiveQueues(of name: String) -> Int { max(1, XDPInterface.queueCount(of: name)) }

    /// One memory for all interfaces that may get AF_XDP, so that packets go from one to another
    /// without being copied, and that workers without a queue have frames there; `nil` when there is no more than one of
    /// them, and each worker has a queue. `HostCheck` has seen to it that they ask for the same frames.
    private static func sharedMemory(
        _ names: [String], _ configuration: ForwarderConfiguration, _ host: HostView, workers: Int,
        nodes: [Int]
    ) throws(ForwarderError) -> XDPMemory? {
        let candidates = names.map { ($0, configuration.port(on: $0)) }.filter { $0.1.backend.mayBeXDP }
        let isShared = candidates.contains { receiveQueues(of: $0.0) < workers }
        guard candidates.count > 1 || isShared, let options = candidates.first?.1 else { return nil }
        var (fillRing, completionRing) = (0, 0)
        var parts: [FrameMemory.Part] = []
        for (name, options) in candidates {
            let options = options.xdpOptions(nodes: nodes)
            for queue in 0..<max(receiveQueues(of: name), workers) {
                parts.append(
                    FrameMemory.Part(frames: options.framesPerQueue, node: options.node(ofQueue: queue)))
            }
            // As large as the largest of them: that of each queue is used as far as its interface asks.
            fillRing = max(fillRing, options.fillRing)
            completionRing = max(completionRing, options.completionRing)
        }
        let memory = try ForwarderError.lift { () throws(MemoryError) in
            try FrameMemory(parts: parts, frameSize: options.size, hugePages: options.pages)
        }
        return XDPMemory(memory, fillRing: fillRing, completionRing: completionRing)
    }

    /// Opens one with the best backend that can be had.
    ///
    /// - Parameter former: the one of that name before it, if it was open over AF_XDP.
    static func open(
        _ name: String, _ options: PortConfiguration, _ endpoints: [Endpoint], workers: Int, nodes: [Int],
        sharing memory: XDPMemory?, again former: XDPInterface? = nil
    ) throws(ForwarderError) -> (Opened, PortGrant.Feature) {
        let requested = options.backend.rawValue
        var reason: String?
        if options.backend != .packet {
            do throws(XDPError) {
                let interface =
                    if let former {
                        try XDPInterface(again: former)
                    } else {
                        try XDPInterface(name, options.xdpOptions(nodes: nodes), memory: memory)
                    }
                return (.xdp(interface), PortGrant.Feature("backend", requested: requested, granted: "xdp"))
            } catch {
                if options.backend == .xdp { throw .xdp(error) }
                reason = "no AF_XDP: \(error)"
            }
        }
        return try openPacket(name, options, endpoints, workers: workers, nodes: nodes, reason: reason)
    }

    /// Opens one over AF_PACKET.
    ///
    /// - Parameter reason: why not over AF_XDP, if that was asked for.
    static func openPacket(
        _ name: String, _ options: PortConfiguration, _ endpoints: [Endpoint], workers: Int, nodes: [Int],
        reason: String?
    ) throws(ForwarderError) -> (Opened, PortGrant.Feature) {
        if options.zeroCopy == .require {
            throw .required(
                "\(name): zero-copy is required, which AF_PACKET has not" + (reason.map { "; \($0)" } ?? ""))
        }
        let frames = options.framesPerQueue
        let interface = try ForwarderError.lift { () throws(PacketSocketError) in
            try PacketSocketInterface(
                name, options: options.packetOptions(workers: workers, endpoints: endpoints))
        }
        let packetMemory = try ForwarderError.lift { () throws(MemoryError) in
            try FrameMemory(
                parts: (0..<workers).map { worker in
                    FrameMemory.Part(frames: frames, node: nodes.isEmpty ? nil : nodes[worker])
                }, frameSize: options.size, hugePages: options.pages)
        }
        return (
            .packet(interface, packetMemory, framesPerWorker: frames),
            PortGrant.Feature(
                "backend", requested: options.backend.rawValue, granted: "packet", reason: reason)
        )
    }

    /// What is taken from the kernel for the streams of a configuration.
    ///
    /// A stream that listens at any address takes what goes to the addresses of this host. What only passes
    /// through, where this host is a router, and what goes to groups of other programs, stays the kernel's.
    static func endpoints(of configuration: ForwarderConfiguration, on host: HostView) -> [Endpoint] {
        let given = configuration.streams.map(\.listen)
        let wildcards = given.filter(\.address.isAny)
        if wildcards.isEmpty { return given }
        let own = Set(host.addresses.map(\.address))
        guard given.count + wildcards.count * own.count <= SteeringProgram.mostEndpoints else {
            return given
        }
        var endpoints = given.filter { !$0.address.isAny }
        for wildcard in wildcards {
            for address in own where address.isOfFamily(of: wildcard.address) {
                endpoints.append(Endpoint(address, port: wildcard.port))
            }
        }
        return endpoints
    }

    /// Takes packets to these endpoints, and leaves all others to the kernel. When that fails, what was taken
    /// before is taken, and nothing else.
    ///
    /// Those that were taken before and still are lose no packet. The others go after the new ones have come, but
    /// for as many as make room for them.
    func serve(_ endpoints: [Endpoint]) throws(ForwarderError) {
        let wanted = Set(endpoints)
        let excess = served.union(wanted).count - SteeringProgram.mostEndpoints
        do throws(ForwarderError) {
            try change(from: served, to: wanted, removingFirst: max(0, excess))
        } catch {
            // Whichever were added go first. What fails here as well is lost with the interface.
            try? change(from: wanted, to: served, removingFirst: .max)
            throw error
        }
        served = wanted
    }

    private func change(
        from old: Set<Endpoint>, to new: Set<Endpoint>, removingFirst early: Int
    ) throws(ForwarderError) {
        let (added, removed) = (new.subtracting(old), old.subtracting(new))
        for interface in opened.compactMap(\.self) {
            switch interface {
            case .xdp(let interface):
                try ForwarderError.lift { () throws(XDPError) in
                    for endpoint in removed.prefix(early) { try interface.remove(endpoint) }
                    for endpoint in added { try interface.add(endpoint) }
                    for endpoint in removed.dropFirst(early) { try interface.remove(endpoint) }
                }
            case .packet(let interface, _, _):
                _ = try ForwarderError.lift { () throws(PacketSocketError) in
                    try interface.setFilter(.udpPorts(Set(new.map(\.port)).sorted()))
                }
            // All that comes is the workers'.
            case .dpdk: break
            }
        }
    }

    /// The number of each interface that is still there, by its index.
    func numbers(on host: HostView) -> [Int32: Int] {
        var numbers: [Int32: Int] = [:]
        for (number, index) in indices.enumerated()
        where opened[number] != nil && (index < 0 || host.links[index] != nil) {
            numbers[index] = number
        }
        return numbers
    }

    /// By number: the link-layer address it has now.
    func macAddresses(on host: HostView) -> [MACAddress] {
        indices.enumerated().map { number, index in
            if case .dpdk(let device)? = opened[number] { return device.host.mac }
            return host.links[index]?.macAddress ?? .zero
        }
    }

    /// Why a new configuration can't be taken up while running, and where that is written; `nil` when it can.
    func reasonToRestart(
        _ needed: NeededInterfaces, old: ForwarderConfiguration, new: ForwarderConfiguration
    ) -> (reason: String, place: ConfigurationLocation)? {
        if let added = needed.names.first(where: { !names.contains($0) }) {
            let asker = needed.askers[added]
            return (
                "\(asker?.text ?? "the interface") \(added), which is not open; opening one needs a restart",
                asker?.place ?? .unknown
            )
        }
        for name in names where old.port(on: name) != new.port(on: name) {
            return (
                "the settings of the interface \(name) changed; that needs a restart",
                new.port(on: name).map.whole
            )
        }
        if old.dpdk != new.dpdk {
            return ("the settings of DPDK changed; that needs a restart", new.dpdk.map.whole)
        }
        if old.workers != new.workers {
            return ("the settings of the workers changed; that needs a restart", new.workers.map.whole)
        }
        if old.limits != new.limits {
            return ("the limits changed; that needs a restart", new.limits.map.whole)
        }
        return nil
    }

    /// Gives the interfaces back. The ports must be gone. What stays is among ``troubles``.
    func close() {
        troubles = [:]
        for (number, opened) in opened.enumerated() {
            guard case .xdp(let interface)? = opened else { continue }
            do throws(XDPError) {
                try interface.steering?.detach()
            } catch {
                troubles[number] = error.explanation
            }
        }
        (opened, former) = (opened.map { _ in nil }, [:])
    }
}
