/// Why the relay dropped a packet, beside the ``ParseFailure``s of what arrived.
public enum RelayDrop: Int, CaseIterable, Sendable {
    /// The frame was addressed to another host's interface, or to all of the link's though the packet in it is
    /// for one host.
    case otherHost
    /// No stream listens at the destination address and port.
    case noStream
    /// It came from one of our own addresses: a loop.
    case ownAddress
    /// The hop limit was used up: a loop, or a sender far away.
    case hopLimitExceeded
    /// A packet in several frames (jumbo), whose headers the relay can't rewrite.
    case segmented
    /// Too long for the interface it would leave by, for its route, or for the path as far as the kernel has
    /// learned that: a relay does not fragment.
    case tooLong
    /// The next hop is not resolved yet, and as many packets wait for it already as there is room for others
    /// within what the configuration allows.
    case waitingQueueFull
    /// The next hop was not resolved in time, or not before the forwarder was stopped.
    case unresolved
    /// There is no route to the destination, or its interface is down.
    case unreachable
    /// No free frame for a copy.
    case poolEmpty
    /// The transmit ring was full, or still was when the forwarder was stopped.
    case transmitRingFull
    /// The stream was taken out of the configuration while the packet waited.
    case streamRemoved

    /// Whether a received packet was refused; otherwise a copy for one destination was lost.
    public var isRefusal: Bool {
        switch self {
        case .otherHost, .noStream, .ownAddress, .hopLimitExceeded, .segmented: true
        default: false
        }
    }
}
