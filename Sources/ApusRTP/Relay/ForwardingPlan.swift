public import ApusWire

/// What is to be forwarded where, as the control plane knows it: streams, destinations, next hops.
///
/// A worker's ``ForwardingTable`` is built from it. Whenever something changes, a new plan is made
/// and a new table sent to each worker, which takes it up between two bursts.
public struct ForwardingPlan: Sendable {
    /// One stream.
    public struct Stream: Sendable {
        /// Its place among the counters, from 0 to the number of slots - 1. A stream keeps it for as
        /// long as it stays in the configuration.
        public var slot: Int
        /// Which of the streams that had this slot it is, from 1. A worker clears what it knows of
        /// the slot when it changes.
        public var generation: UInt64
        /// Where packets for it arrive; an address of 0 is any of ``ForwardingPlan/ownAddresses`` of that
        /// family. A multicast group has to be named.
        public var listen: Endpoint
        /// The hop limit to send with, from 1; `nil` sends with one less than the packet came with, and
        /// drops what came with 1.
        public var hopLimit: UInt8?
        /// Whether it is RTP, of which loss and jitter are to be measured.
        public var isRTP: Bool
        /// Where its packets go. The first one gets the packet itself, each further one a copy.
        public var destinations: [Destination]

        /// A stream of these parts.
        public init(
            slot: Int, generation: UInt64, listen: Endpoint, hopLimit: UInt8? = nil, isRTP: Bool = true,
            destinations: [Destination]
        ) {
            self.slot = slot
            self.generation = generation
            self.listen = listen
            self.hopLimit = hopLimit
            self.isRTP = isRTP
            self.destinations = destinations
        }
    }

    /// The streams, each with a slot and a listening endpoint of its own.
    public var streams: [Stream]
    /// The addresses of this host: a packet that comes from one of them is in a loop, and a packet to one of
    /// them is for the streams that listen at any address.
    public var ownAddresses: [IPAddress]

    /// A plan of these parts.
    public init(streams: [Stream] = [], ownAddresses: [IPAddress] = []) {
        self.streams = streams
        self.ownAddresses = ownAddresses
    }
}

/// A destination of a stream, and the way there.
@frozen
public struct Destination: Sendable, BitwiseCopyable {
    /// Where the packets go.
    public var endpoint: Endpoint
    /// How they get there.
    public var path: Path

    /// The way to a destination.
    @frozen
    public enum Path: Sendable, BitwiseCopyable {
        /// By that interface (numbered as the application numbers them), behind those headers;
        /// `maximumPacketSize` is the longest frame it takes, link-layer header included.
        case ready(interface: UInt16, UDPEncapsulation, maximumPacketSize: Int)
        /// The next hop's link-layer address is not known yet. The number, from 0, tells it from the others of the
        /// plan of which that is so: what waits for one must leave room for what waits for another.
        case unresolved(neighbor: Int)
        /// There is no way.
        case unreachable
    }

    /// A destination and its way.
    @inlinable
    public init(_ endpoint: Endpoint, path: Path) { (self.endpoint, self.path) = (endpoint, path) }
}
