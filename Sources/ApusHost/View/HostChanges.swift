/// What changed on the host between two calls of `HostView.process()`.
public struct HostChanges: Sendable, Equatable {
    /// The interfaces that came, went or changed (also: were renamed, went up or down, lost carrier).
    public var links: Set<Int32> = []
    /// Those of `links` that were deleted, or went to another namespace; one of that index may be there again.
    public var deletedLinks: Set<Int32> = []
    /// The interfaces whose addresses changed.
    public var addresses: Set<Int32> = []
    /// The neighbors that came, went or changed their state or Ethernet address.
    public var neighbors: Set<Neighbor.Key> = []
    /// Those of `neighbors` to which frames go in another way now: to another Ethernet address, or to one where
    /// there was none, or no more. What only grows old and is confirmed is not among them.
    public var readdressed: Set<Neighbor.Key> = []
    /// Whether a route, or a nexthop object that routes may use, came, went or changed.
    public var routes = false
    /// Whether a routing rule came or went.
    public var rules = false
    /// Whether the kernel had more to tell than it could keep, so that everything was read anew. What
    /// changed meanwhile is not known in detail: treat everything as changed.
    public var isResynchronized = false

    /// Whether nothing changed.
    public var isEmpty: Bool { self == HostChanges() }

    /// Whether a datagram to anywhere might now take another way: every next hop must be resolved again.
    /// Otherwise only those through `neighbors`.
    public var affectsRoutes: Bool {
        routes || rules || isResynchronized || !links.isEmpty || !addresses.isEmpty
    }

    /// Nothing changed.
    public init() {}
}
