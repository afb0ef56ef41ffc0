import ApusPorts
public import ApusRTP
import ApusXDP

/// What a forwarder has done so far, as one value that can be printed, encoded and read again.
public struct ForwarderStatus: Sendable, Codable {
    /// One stream.
    public struct Stream: Sendable, Codable {
        /// Its name in the configuration.
        public var name: String
        /// Where it listens: `192.0.2.1:5004`.
        public var listen: String
        /// Where its packets go, each like `198.51.100.7:5004`.
        public var destinations: [String]
        /// What was measured of it.
        public var figures: StreamFigures
    }

    /// One queue of one interface, over all the times that it was opened.
    public struct Port: Sendable, Codable {
        /// The interface's name.
        public var interface: String
        /// The queue of the interface, from 0.
        public var queue: Int
        /// What moves its packets: `xdp`, `packet`. A queue that was opened again by another backend is another one.
        public var backend: String
        /// Whether it is open now; its figures are those of before where it is not.
        public var isOpen: Bool
        /// What was granted, and why it is less than asked for where it is.
        public var features: [Feature]
        /// Packets received.
        public var received: UInt64
        /// Their bytes, link-layer header included.
        public var receivedBytes: UInt64
        /// Packets that the kernel, or the device of a zero-copy port, has taken to send.
        public var sent: UInt64
        /// Their bytes, link-layer header included.
        public var sentBytes: UInt64
        /// Packets that the port has taken, and the kernel or the device not yet.
        public var pending: UInt64 = 0
        /// Packets dropped, by reason; those with a count only.
        public var drops: [String: UInt64]
    }

    /// One interface that the forwarder has open, or had.
    public struct Interface: Sendable, Codable {
        /// Its name.
        public var name: String
        /// Whether it is open: `false` from when it is deleted until one of its name was opened again.
        public var isOpen: Bool
        /// Whether what comes in by it can be received: `false` while it is not open, or down, or when another program
        /// took the XDP program off. Looked at once a second.
        public var isReceiving = true
        /// Whether streams listen on it.
        public var isListening: Bool
        /// Why it is not open, or receives nothing or not all that comes; at the end, why its XDP program is left.
        public var reason: String?
    }

    /// One interface that the kernel does not have, for which the forwarder is the host: its link, and what was said on it
    /// besides the packets of streams.
    public struct Device: Sendable, Codable {
        /// The interface's name.
        public var interface: String
        /// Its link-layer address: `02:00:00:00:00:01`.
        public var mac: String
        /// The longest IP packet that it takes, in octets.
        public var mtu: Int
        /// The NUMA node that it is on; `nil` where nobody knows, as on hosts with one.
        public var node: Int?
        /// Its own addresses with the lengths of their prefixes, each like `192.0.2.1/24`: those of the configuration that
        /// nobody else was found to have, and its link-local one.
        public var addresses: [String]
        /// Whether its link is up; `nil` where the device does not say.
        public var isLinkUp: Bool?
        /// The speed of its link in Mbit/s; `nil` where the device does not say.
        public var linkMegabits: Int?
        /// Whether its link takes packets in both directions at once; `nil` where the device does not say.
        public var isFullDuplex: Bool?
        /// How often its link was found up after it had been down, or down after it had been up.
        public var linkChanges: UInt64
        /// Frames that the workers handed to the host: those received here, and those dropped on the way as `other_host`, or
        /// under way at the stop.
        public var handed: UInt64
        /// Messages to the host, by protocol: `arp`, `icmpv4`, `icmpv6`, `neighbor_discovery`; those with a count only.
        public var received: [String: UInt64]
        /// Those that told something and needed no answer.
        public var noted: UInt64
        /// Those that told of the way of packets: ICMP errors.
        public var reported: UInt64
        /// Those of them that were about packets of streams, and told of a smaller MTU; others are not believed.
        public var believed: UInt64
        /// What the host wrote to be sent, by kind: `arp_reply`, `advertisement`, `echo_reply`, `solicitation`; those with a
        /// count only.
        public var sent: [String: UInt64]
        /// Frames of the host's that the workers have sent; the others that it wrote are among the drops, or under way.
        public var transmitted: UInt64
        /// Messages dropped, by reason; those with a count only. Received and dropped on the way to the host are
        /// `host_queue_full` and `other_host`, written by it and dropped on their way out `answer_queue_full` and
        /// `not_sent`; `stopped` were under way, in either direction, when it was stopped.
        public var drops: [String: UInt64]
        /// Messages of others that use an address of the interface's.
        public var conflicts: UInt64
        /// Neighbors now, by state (RFC 4861 section 7.3.2): `incomplete` are asked for, and `failed` have not answered;
        /// those with a count only.
        public var neighbors: [String: UInt64]
        /// What became of neighbors: `failed`, `moved` to another link-layer address, `evicted` for newer ones, `refused` for
        /// want of room; those with a count only.
        public var neighborEvents: [String: UInt64]
        /// Destinations to which routers have said that less than the MTU gets through.
        public var narrowPaths: UInt64
    }

    /// What the XDP program of one interface did with the frames that arrived there.
    public struct Steering: Sendable, Codable {
        /// The interface's name.
        public var interface: String
        /// Frames that it took to a port of the forwarder.
        public var steered: UInt64
        /// Frames that it left to the kernel, by reason: `not_ip`, `fragment`, `not_udp`, `no_port`, `no_socket`,
        /// `malformed`.
        public var passed: [String: UInt64]
    }

    /// One thing that was asked of a port.
    public struct Feature: Sendable, Codable {
        /// The field's name for it: `XDP mode`, `zero-copy`, `pages`.
        public var name: String
        /// What was asked for.
        public var requested: String
        /// What was got.
        public var granted: String
        /// Why less was granted; `nil` when what was asked for was.
        public var reason: String?
    }

    /// Packets taken from the ports.
    public var received: UInt64 = 0
    /// Their bytes, link-layer header included.
    public var receivedBytes: UInt64 = 0
    /// Packets that belong to a stream.
    public var accepted: UInt64 = 0
    /// Packets to be sent: one for each accepted packet and destination.
    public var copies: UInt64 = 0
    /// Packets handed to a port.
    public var sent: UInt64 = 0
    /// Their bytes, link-layer header included.
    public var sentBytes: UInt64 = 0
    /// Packets that wait for their next hop.
    public var waiting: UInt64 = 0
    /// UDP checksums completed for senders that left them to their device.
    public var completedChecksums: UInt64 = 0
    /// Packets in several segments that went on with a UDP checksum that nobody has verified.
    public var unverifiedChecksums: UInt64 = 0
    /// How often a worker did not come round for more than 100 ms and the longest sleep that it may take.
    public var stalls: UInt64 = 0
    /// Packets refused or dropped, by reason; those with a count only.
    public var drops: [String: UInt64] = [:]
    /// The streams, in the order of the configuration.
    public var streams: [Stream] = []
    /// The interfaces, in the order in which they were opened.
    public var interfaces: [Interface] = []
    /// The interfaces that the kernel does not have.
    public var devices: [Device] = []
    /// The queues, by worker; those of interfaces that are gone among them, with the figures they ended with.
    public var ports: [Port] = []
    /// The XDP programs, one for each interface that AF_XDP was granted on.
    public var steering: [Steering] = []
    /// Destinations that can't be reached now, and why.
    public var unreachable: [String: String] = [:]
    /// How long it has run, in seconds.
    public var uptime: Double = 0

    /// Nothing done yet.
    public init() {}
}

extension ForwarderStatus.Steering {
    init(_ interface: String, _ counters: SteeringCounters) {
        self.interface = interface
        steered = counters.steered
        passed = Dictionary(uniqueKeysWithValues: counters.passed.map { ($0.reason, $0.count) })
    }
}

extension ForwarderStatus.Port {
    init(_ grant: PortGrant, _ statistics: PortStatistics, isOpen: Bool) {
        self.isOpen = isOpen
        interface = grant.interface
        queue = grant.queue
        backend = grant.backend.rawValue
        features = grant.features.map {
            ForwarderStatus.Feature(
                name: $0.name, requested: $0.requested, granted: $0.granted, reason: $0.reason)
        }
        received = statistics.received
        receivedBytes = statistics.receivedBytes
        sent = statistics.sent
        sentBytes = statistics.sentBytes
        pending = statistics.pending
        drops = [:]
        for reason in PortDrop.allCases where statistics.drops[reason] > 0 {
            drops[reason.label] = statistics.drops[reason]
        }
    }
}
