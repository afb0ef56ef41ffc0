extension RelayDrop: CustomStringConvertible {
    /// Its name in statistics, as the label of a metric: `no_stream`.
    public var label: String { text.label }

    /// The reason in a sentence.
    public var description: String { text.sentence }

    private var text: (label: String, sentence: String) {
        switch self {
        case .otherHost:
            (
                "other_host",
                "its frame is for another host's interface, or for all of the link's though it is "
                    + "for one host"
            )
        case .noStream: ("no_stream", "no stream listens at its destination address and port")
        case .ownAddress:
            (
                "own_address",
                "its source is an address of the forwarder's own host: a loop, or a sender on that "
                    + "host"
            )
        case .hopLimitExceeded:
            ("hop_limit_exceeded", "its TTL or hop limit was used up: a loop, or a sender far away")
        case .segmented: ("segmented", "it came in several frames (jumbo), whose headers can't be rewritten")
        case .tooLong:
            (
                "too_long",
                "it is longer than its way out takes, by interface, route or path; a relay does not "
                    + "fragment"
            )
        case .waitingQueueFull:
            (
                "waiting_queue_full",
                "its next hop was not resolved yet, and no room was left for packets that "
                    + "wait"
            )
        case .unresolved: ("unresolved", "its next hop did not answer in time, or not before the stop")
        case .unreachable:
            ("unreachable", "there is no route to its destination, or the interface of the route is down")
        case .poolEmpty: ("pool_empty", "no frame was free for a copy")
        case .transmitRingFull: ("transmit_ring_full", "the transmit ring was full, or still was at the stop")
        case .streamRemoved:
            ("stream_removed", "its stream was taken out of the configuration while it waited")
        }
    }
}
