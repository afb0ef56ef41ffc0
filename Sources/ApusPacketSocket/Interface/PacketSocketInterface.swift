public import ApusPorts
public import ApusRings
import CLinux
import Glibc
import Synchronization

/// An interface opened with packet sockets: the control plane of its ports.
///
/// ```swift
/// var options = PacketSocketOptions()
/// options.filter = .udpPorts([5004])
/// let interface = try PacketSocketInterface("eth0", options: options)
/// var port = try interface.makePort(pool: memory.makePool(frames: 4096))
/// ```
///
/// It can be used from any thread, and released while its ports are in use.
public final class PacketSocketInterface: Sendable {
    /// The name it was opened by.
    public let name: String
    /// What it was opened with.
    public let options: PacketSocketOptions
    private let queues: [PacketSocketQueue]
    private let stampsReceived: Bool
    private let state: Mutex<State>

    private struct State {
        var handedOut: Set<Int> = []
        var filter: PortGrant.Feature
    }

    /// Opens the interface for all workers. Packets begin to gather in their rings.
    ///
    /// Must be called in the network namespace of the interface. Needs CAP_NET_RAW.
    public init(_ name: String, options: PacketSocketOptions = .init()) throws(PacketSocketError) {
        try options.validate()
        self.name = name
        self.options = options
        let facts = try InterfaceFacts(name, socket: PacketSocket(interface: name))
        stampsReceived = facts.stampsReceived
        guard options.workers == 1 || facts.isUp else { throw .interfaceDown(name) }
        var queues: [PacketSocketQueue] = []
        var group: UInt16?
        for worker in 0..<options.workers {
            let queue = try PacketSocketQueue(facts, worker: worker, options: options)
            if options.workers > 1 {
                group = try queue.joinFanout(group, typeAndFlags: Self.fanout(options))
            }
            queues.append(queue)
        }
        self.queues = queues
        // When all are in the group, so that none gets what is another's.
        let filter = try Self.attach(options.filter, to: queues, options)
        state = Mutex(State(filter: filter))
    }

    /// The port of one worker, whose received packets come in frames of `pool`.
    ///
    /// Each worker's port can be had once. Dropping it closes the worker's rings, and its flows
    /// move to the other workers.
    /// - Parameter number: what received packets carry as ``Packet/port``.
    public func makePort(worker: Int = 0, number: UInt16 = 0, pool: consuming FramePool)
        throws(PacketSocketError)
        -> Port<PacketSocketDriver>
    {
        guard queues.indices.contains(worker) else { throw .noSuchWorker(worker, workers: queues.count) }
        guard state.withLock({ $0.handedOut.insert(worker).inserted }) else { throw .workerTaken(worker) }
        return Port(
            PacketSocketDriver(
                queue: queues[worker], pool: pool, grant: grant(worker, frames: pool.memory.frameSize),
                portNumber: number))
    }

    /// Changes what all ports receive from now on, without losing a packet that both let through.
    ///
    /// - Returns: what was granted.
    @discardableResult
    public func setFilter(_ filter: PacketSocketFilter) throws(PacketSocketError) -> PortGrant.Feature {
        let feature = try Self.attach(filter, to: queues, options)
        state.withLock { $0.filter = feature }
        return feature
    }

    /// Whether the interface that was opened is gone, whatever there is now by its name or index. Costs a system call.
    public var isDetached: Bool { queues[0].isDetached }

    /// What was asked for and granted, for one worker's port.
    public func grant(_ worker: Int) -> PortGrant {
        PortGrant(backend: .packet, interface: name, queue: worker, features: features)
    }

    /// The same, with what depends on the frames that received packets come in.
    private func grant(_ worker: Int, frames: FrameSize) -> PortGrant {
        PortGrant(
            backend: .packet, interface: name, queue: worker,
            features: features + [longestPacket(frames, mtu: queues[worker].longestSent - Int(ETH_HLEN))])
    }
}

extension PacketSocketInterface {
    private static func fanout(_ options: PacketSocketOptions) -> Int32 {
        let type =
            switch options.fanout {
            case .flowHash: PACKET_FANOUT_HASH
            case .processor: PACKET_FANOUT_CPU
            case .queue: PACKET_FANOUT_QM
            }
        return type | (options.fanoutRollover ? PACKET_FANOUT_FLAG_ROLLOVER : 0)
            | (options.direction == .received ? Int32(APUS_PACKET_FANOUT_FLAG_IGNORE_OUTGOING) : 0)
    }

    private static func attach(
        _ filter: PacketSocketFilter, to queues: [PacketSocketQueue], _ options: PacketSocketOptions
    ) throws(PacketSocketError) -> PortGrant.Feature {
        var reason = "the program would be longer than the kernel's limit of \(BPF_MAXINSNS) instructions"
        if let program = filter.program(promiscuous: options.promiscuous, options.direction) {
            do throws(PacketSocketError) {
                for queue in queues { try queue.attach(program) }
                return PortGrant.Feature("filter", requested: "\(filter)", granted: "\(filter)")
            } catch {
                guard case .udpPorts = filter else { throw error }
                reason = "\(error); net.core.optmem_max bounds its memory"
            }
        }
        let wider = PacketSocketFilter.allUDP
        for queue in queues {
            try queue.attach(wider.program(promiscuous: options.promiscuous, options.direction)!)
        }
        return PortGrant.Feature("filter", requested: "\(filter)", granted: "\(wider)", reason: reason)
    }

    /// Whether datagrams that the kernel has merged are parted again.
    private var merged: PortGrant.Feature {
        let name = "merged datagrams"
        if queues[0].knowsMerged { return PortGrant.Feature(name, requested: "parted", granted: "parted") }
        let reason =
            options.filter.isOfUDP
            ? "Linux before 6.2 does not tell which packets they are: those that a sender hands over as one "
                + "(UDP_SEGMENT over veth) or that receive offload joins come as one; `ethtool -K \(self.name) "
                + "rx-udp-gro-forwarding off rx-gro-list off` keeps it from the latter"
            : "asked for packets of all protocols, the kernel would not hand over some that it has merged"
        return PortGrant.Feature(name, requested: "parted", granted: "not parted", reason: reason)
    }

    /// The longest packet that is received, in octets; a tag is allowed for.
    private func longestPacket(_ frames: FrameSize, mtu: Int) -> PortGrant.Feature {
        let needed = mtu + Int(ETH_HLEN) + 4
        let reason =
            needed > frames.capacity
            ? "a packet has to fit a frame of \(frames.rawValue) bytes, and the MTU is \(mtu): longer ones are dropped "
                + "as too_long" : nil
        return PortGrant.Feature(
            "longest packet", requested: "\(needed)", granted: "\(min(needed, frames.capacity))",
            reason: reason)
    }

    private var features: [PortGrant.Feature] {
        func granted(_ name: String, _ value: String) -> PortGrant.Feature {
            PortGrant.Feature(name, requested: value, granted: value)
        }
        let ring =
            switch options.receiveRing {
            case .slots(let count): "TPACKET_V2, \(count) slots"
            case .blocks(let size, let count, let timeout):
                "TPACKET_V3, \(count) blocks of \(size) bytes, \(timeout) ms"
            }
        let software = PacketSocketTimestamps.software.rawValue
        let stamps: PortGrant.Feature =
            switch options.timestamps {
            case .software: granted("timestamps", software)
            case .hardware where stampsReceived: granted("timestamps", options.timestamps.rawValue)
            case .hardware:
                PortGrant.Feature(
                    "timestamps", requested: options.timestamps.rawValue, granted: software,
                    reason: "the device takes none; if it can, this makes it: hwstamp_ctl -i \(name) -r 1")
            }
        let spreading = options.fanout.rawValue + (options.fanoutRollover ? " with rollover" : "")
        return [
            granted("receive ring", ring),
            granted("transmit ring", "sendmmsg, \(options.transmitSlots) slots"),
            granted("fanout", options.workers > 1 ? "\(options.workers) workers by \(spreading)" : "none"),
            stamps,
            granted("queueing discipline", options.bypassesQueueing ? "bypassed" : "used"),
            merged,
            granted("promiscuous", options.promiscuous ? "yes" : "no"),
            granted("direction", options.direction.rawValue),
            state.withLock(\.filter),
        ]
    }
}
