public import ApusWire

/// What arrives at one address and port, and where it goes.
public struct StreamConfiguration: Hashable, Sendable {
    /// What the stream is called in statistics and messages: 1 to 64 characters.
    public var name: String
    /// Where its packets arrive. An address of all zeros means any address of this host, on each interface that is up
    /// and has one of the family when the forwarder starts, or on those that the configuration lists and streams leave
    /// by; a multicast group is joined on the interface, which must be named then.
    public var listen: Endpoint
    /// Where each packet goes; the first destination costs no copy, each further one costs one.
    public var to: [Endpoint]
    /// The interface it listens on, or nil for the one that has the listening address. Link-local destinations
    /// are on it too, and so are groups, unless it listens to a group: then the routes say where they are.
    public var interface: String?
    /// The TTL or hop limit of what is sent, 1 to 255; nil means one less than what arrived.
    public var ttl: Int?
    /// Whether packets that look like RTP count towards statistics after RFC 3550.
    public var rtp: Bool
    /// Where it was written.
    public var map: SourceMap

    /// A stream from `listen` to each of `to`. Without a name it is called after where it listens.
    public init(
        name: String? = nil, listen: Endpoint, to: [Endpoint], interface: String? = nil, ttl: Int? = nil,
        rtp: Bool = true, map: SourceMap = SourceMap()
    ) {
        self.name = name ?? "\(listen)"
        self.listen = listen
        self.to = to
        self.interface = interface
        self.ttl = ttl
        self.rtp = rtp
        self.map = map
    }
}
