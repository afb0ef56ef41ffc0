package import ApusRings

/// The ways Apus moves packets.
public enum Backend: String, Sendable, CaseIterable {
    /// AF_XDP sockets.
    case xdp
    /// AF_PACKET sockets.
    case packet
    /// A poll-mode driver of DPDK.
    case dpdk
    /// Two ports joined in memory.
    case memory
    /// A capture file.
    case capture
}

/// What a port was asked for and what it got: no fallback is silent.
public struct PortGrant: Sendable {
    /// What moves the packets.
    public let backend: Backend
    /// The interface, or what stands for it.
    public let interface: String
    /// The queue of the interface.
    public let queue: Int
    /// Each feature that was asked for, in the order in which it matters.
    public let features: [Feature]

    /// One thing that was asked for.
    public struct Feature: Sendable, Equatable {
        /// The field's name for it: `XDP mode`, `zero-copy`, `pages`.
        public let name: String
        /// What was asked for.
        public let requested: String
        /// What was got.
        public let granted: String
        /// Why less was granted; `nil` when what was asked for was.
        public let reason: String?

        /// A feature; with a `reason` it is less than what was asked for.
        public init(_ name: String, requested: String, granted: String, reason: String? = nil) {
            self.name = name
            self.requested = requested
            self.granted = granted
            self.reason = reason
        }
    }

    /// What a driver says of itself.
    public init(backend: Backend, interface: String, queue: Int, features: [Feature]) {
        self.backend = backend
        self.interface = interface
        self.queue = queue
        self.features = features
    }

    /// The features of which less was granted than asked for.
    public var lesser: [Feature] { features.filter { $0.reason != nil } }
}

extension PortGrant: CustomStringConvertible {
    /// One line: `eth0 queue 0: xdp, XDP mode native, zero-copy no (the driver veth has none)`.
    public var description: String {
        let list = features.map { feature in
            "\(feature.name) \(feature.granted)" + (feature.reason.map { " (\($0))" } ?? "")
        }
        return (["\(interface) queue \(queue): \(backend.rawValue)"] + list).joined(separator: ", ")
    }
}

extension MemoryGrant {
    /// Where the frames lie, if a NUMA node was asked for.
    package var nodeFeature: PortGrant.Feature? {
        requestedNode.map {
            PortGrant.Feature(
                "NUMA node", requested: "\($0)", granted: node.map(String.init) ?? "unknown",
                reason: nodeReason)
        }
    }
}
