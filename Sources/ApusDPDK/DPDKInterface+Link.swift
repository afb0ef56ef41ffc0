import CDPDK

/// The state of a device's link.
public struct DPDKLink: Sendable, Hashable {
    /// Whether packets can pass.
    public let isUp: Bool
    /// In Mbit/s; `nil` where the device does not say.
    public let megabits: Int?
    /// Whether both directions can be used at once.
    public let isFullDuplex: Bool
}

/// For the control thread: each but the events asks the device, some for a millisecond.
extension DPDKInterface {
    /// The link as it is now, or as the driver told of it last; `nil` where it does not say. Not all drivers look: net_af_packet
    /// and net_af_xdp call theirs up whatever becomes of it, and net_tap asks by name, in the network namespace of the
    /// process, so that one moved to another is called down.
    public var link: DPDKLink? {
        var (speed, isFullDuplex): (UInt32, Bool) = (0, false)
        // Sound: both are written during the call.
        let state = unsafe apus_port_link(port, &speed, &isFullDuplex)
        guard state >= 0 else { return nil }
        // RTE_ETH_SPEED_NUM_NONE and RTE_ETH_SPEED_NUM_UNKNOWN.
        let isKnown = speed != 0 && speed != UInt32.max
        return DPDKLink(isUp: state == 1, megabits: isKnown ? Int(speed) : nil, isFullDuplex: isFullDuplex)
    }

    /// How many packets it has received, by its own count.
    public var receivedPackets: UInt64 { apus_port_received(port) }

    /// Has an eventfd(2) become readable when the driver tells of a link change; those that can't have to be asked now and then.
    /// The descriptor must stay open until ``unwatchLink(_:)``.
    public func watchLink(_ descriptor: Int32) { _ = apus_port_watch_link(port, descriptor) }

    /// Afterwards nothing writes to the descriptor any more.
    public func unwatchLink(_ descriptor: Int32) { apus_port_unwatch_link(port, descriptor) }

    /// A number that is another one when the driver has told of a link change since; costs a load.
    public var linkEvents: UInt32 { apus_port_link_events(port) }
}
