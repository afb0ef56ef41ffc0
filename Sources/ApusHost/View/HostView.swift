public import ApusWire
import CMNL
import Glibc

/// What the kernel knows about the network of this host, kept up to date by netlink.
///
/// For the control thread: wait until `descriptor` is readable, call `process()`, and act on what changed.
/// It sees the network namespace of the thread that made it. Never call it on the data path: what a
/// worker needs is in a `NextHop`.
public final class HostView {
    /// Bounds, as others can make the kernel's tables grow.
    public struct Limits: Sendable {
        /// Neighbors kept; of those beyond it the kernel is asked when they are needed.
        public var neighbors = 16_384
        /// Bytes the kernel may hold for us between two calls of `process()`. When that is too little,
        /// everything is read anew.
        public var receiveBuffer = 4 << 20
        /// Datagrams read in one call of `process()`, so that a storm of changes can't hold the thread.
        public var datagramsPerCall = 512

        /// The usual bounds.
        public init() {}
    }

    /// The interfaces by their index.
    public internal(set) var links: [Int32: Link] = [:]
    /// The addresses of all interfaces.
    public internal(set) var addresses: [InterfaceAddress] = []
    /// The neighbors, as many as the limits allow.
    public internal(set) var neighbors: [Neighbor.Key: Neighbor] = [:]
    /// How often the kernel had more to tell than it could keep.
    public internal(set) var overruns = 0

    let limits: Limits
    /// Whether a neighbor may be in the kernel's table without being in ours.
    var isNeighborTablePartial = false
    /// Asks the kernel.
    var requests: NetlinkSocket
    /// Hears of changes. Kept apart from `requests`, so that an answer can't get lost among the news.
    var news: NetlinkSocket

    /// Subscribes to changes and reads everything there is.
    ///
    /// Needs no privilege. Throws `HostError` when the kernel refuses a socket or an answer.
    public init(limits: Limits = Limits()) throws(HostError) {
        self.limits = limits
        requests = try NetlinkSocket()
        // The subscription comes first: what changes while the tables are read is then told as well.
        news = try NetlinkSocket(groups: Self.groups, receiveBuffer: limits.receiveBuffer)
        try readAll()
    }

    /// Readable when `process()` has something to do: for poll(2) or epoll(7).
    public var descriptor: Int32 { news.descriptor }

    /// The interface of a name.
    ///
    /// Throws `HostError.noSuchInterface`, which lists those there are.
    public func link(named name: String) throws(HostError) -> Link {
        if let link = links.values.first(where: { $0.name == name }) { return link }
        throw .noSuchInterface(name, existing: linksByIndex.map(\.name))
    }

    /// The interfaces in the order of their index.
    public var linksByIndex: [Link] { links.values.sorted { $0.index < $1.index } }

    /// The interface that has an address of its own, if one has.
    public func link(having address: IPAddress) -> Link? {
        addresses.first { $0.address == address }.flatMap { links[$0.interface] }
    }

    private static let groups: UInt32 = [
        RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
        RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE,
        // Kernels before 5.3 have none and pass over the bit.
        RTNLGRP_NEXTHOP,
    ].reduce(0) { $0 | 1 << ($1.rawValue - 1) }
}
