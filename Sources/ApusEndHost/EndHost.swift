import ApusRings
public import ApusWire

/// What an end host answers on a link that no kernel serves, as with a DPDK port, and how it finds its next hops: ARP (RFC
/// 826, RFC 5227), neighbor discovery (RFC 4861, RFC 4862), echo and errors of ICMP and ICMPv6 (RFC 1122, RFC 4443).
///
/// An engine without I/O, threads or a clock. It is given the bytes of frames and a time, and writes frames into the caller's
/// buffer. All times are nanoseconds of one clock that doesn't go back; earlier ones are taken for the latest.
///
/// ```swift
/// /// Looks at a packet that nobody else takes, and writes what is to be sent for it into another; gives its length.
/// func receive(
///     _ packet: borrowing Packet, answer: inout Packet, at now: UInt64, _ host: inout EndHost,
///     _ counters: borrowing EndHostCounters
/// ) -> Int? {
///     guard HostMessage(in: packet.bytes) != nil else { return nil }
///     var bytes = answer.mutableBytes
///     switch host.receive(packet.bytes, at: now, answer: &bytes, counters: counters) {
///     case .answer(let count): return count
///     case .path, .taken, .notMine: return nil
///     }
/// }
///
/// /// Writes the next frame that is due, when `host.deadline` has come and after `resolve`; gives its length.
/// func next(
///     into frame: inout Packet, at now: UInt64, _ host: inout EndHost, _ counters: borrowing EndHostCounters
/// ) -> Int? {
///     var bytes = frame.mutableBytes
///     return host.advance(to: now, frame: &bytes, counters: counters)
/// }
/// ```
///
/// Packets that wait for a neighbor are the caller's to keep. Routes come from the configuration alone: router
/// advertisements and redirects are ignored. Addresses are used at once, while others are still asked whether they have
/// them: an IPv6 address for a second, as RFC 4429 allows but for its restrictions on solicitations in that second, and an IPv4
/// address with the three probes of RFC 5227, within six seconds; one that is found in use then is given up. Fragments are not
/// put together. The groups in which neighbors solicit the host are reported (MLDv2, RFC 3810), to routers and switches of
/// version 1 too.
///
/// All that a peer can make grow is bounded by ``EndHostConfiguration``. Receiving allocates nothing.
public struct EndHost: ~Copyable {
    /// The link-layer address of the interface.
    public let mac: MACAddress
    /// The largest IP packet of the link.
    public let mtu: Int
    let tags: VLANTags
    let routes: Routes
    var own: OwnAddresses
    var neighbors: NeighborCache
    var listener: ListenerReports
    var errorLimit: TokenBucket
    var echoLimit: TokenBucket
    var answerLimit: TokenBucket
    var keptLimit: TokenBucket
    private var latest: UInt64
    let jitter: UInt64

    /// Octets that any frame of ``advance(to:frame:counters:)`` fits.
    public static var longestOwnFrame: Int { 14 + 8 + IPv6View.headerByteCount + 16 + 20 * mostRecords }

    /// A host that begins to make itself known with the next ``advance(to:frame:counters:)``.
    ///
    /// - Throws: ``EndHostError`` if the configuration can't be.
    public init(_ configuration: EndHostConfiguration, at now: UInt64) throws(EndHostError) {
        let prefixes = try configuration.checkedAddresses()
        guard (16...65536).contains(configuration.neighborLimit) else {
            throw .neighborLimitOutOfRange(configuration.neighborLimit)
        }
        routes = try Routes(configuration, own: prefixes)
        (mac, mtu, tags) = (configuration.mac, configuration.mtu, configuration.tags)
        // Both factors from one seed: its halves, spread.
        let random = configuration.seed.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        jitter = random.low % 1_000_000_000
        own = OwnAddresses(prefixes, at: now, jitter: jitter)
        listener = ListenerReports(seed: random.high ^ random.low)
        if prefixes.contains(where: \.address.isIPv6) { listener.begin(at: now &+ jitter) }
        // MIN_RANDOM_FACTOR 0.5 to MAX_RANDOM_FACTOR 1.5 (RFC 4861 section 6.3.2).
        let reachable =
            NeighborTime.baseReachable / 2 + (random.high ^ random.low) % NeighborTime.baseReachable
        neighbors = NeighborCache(
            capacity: configuration.neighborLimit, reachableTime: reachable, seed: configuration.seed)
        errorLimit = TokenBucket(configuration.errorLimit, at: now)
        echoLimit = TokenBucket(configuration.echoLimit, at: now)
        answerLimit = TokenBucket(configuration.answerLimit, at: now)
        keptLimit = TokenBucket(RateLimit(perSecond: 1000, burst: 100), at: now)
        latest = now
    }

    /// Looks at a frame, and answers it where a host has to.
    ///
    /// - Parameters:
    ///   - frame: the whole frame, without its check sequence, whose sums nobody needs to have verified.
    ///   - now: nanoseconds.
    ///   - answer: where an answer is written; as long as the frame, and at least 94 octets, is enough for any. What is in
    ///     it after another verdict than ``EndHostVerdict/answer(_:)`` means nothing.
    @inline(never)
    public mutating func receive(
        _ frame: RawSpan, at now: UInt64, answer: inout MutableRawSpan, counters: borrowing EndHostCounters
    ) -> EndHostVerdict {
        guard let message = HostMessage(in: frame), let ethernet = try? EthernetView(checking: frame),
            isForUs(ethernet)
        else { return .notMine }
        counters.received.add()
        let now = advanceClock(to: now)
        do throws(Refused) {
            let isOwn = ethernet.source == mac
            guard !isOwn, !ethernet.source.isGroup, ethernet.source != .zero else {
                // Of ICMPv6 it is not found out what it is.
                counters.count(message == .arp ? .arp : message == .icmpv4 ? .icmpv4 : .icmpv6)
                throw .drop(isOwn ? .ownFrame : .badSource)
            }
            switch message {
            case .arp:
                counters.count(.arp)
                return try receiveARP(ethernet, now, &answer, counters)
            case .icmpv4:
                counters.count(.icmpv4)
                return try receiveICMPv4(ethernet, now, &answer, counters)
            case .icmpv6: return try receiveICMPv6(ethernet, now, &answer, counters)
            }
        } catch {
            switch error {
            case .parse(let failure): counters.count(failure)
            case .drop(let drop): counters.count(drop)
            }
            return .taken
        }
    }

    /// Whether a frame goes to this interface or to a group that a host listens to.
    private func isForUs(_ ethernet: EthernetView) -> Bool {
        let destination = ethernet.destination
        return destination == mac || destination.isGroup
    }

    /// The time, which never goes back.
    mutating func advanceClock(to now: UInt64) -> UInt64 {
        latest = max(latest, now)
        return latest
    }

    /// Makes all addresses known anew, as when the link comes back.
    public mutating func announce(at now: UInt64) {
        let now = advanceClock(to: now)
        own.begin(at: now, jitter: jitter)
        // What is no group ends by itself.
        listener.begin(at: now &+ jitter)
    }

    /// The tags of an answer.
    func envelope(answering ethernet: EthernetView) -> Envelope {
        Envelope(destination: ethernet.source, source: mac, tags: ethernet.tags)
    }

    /// What others say of the host's addresses and paths counts only in its own VLAN: another one may have the same addresses.
    func requireOwnVLAN(_ ethernet: EthernetView) throws(Refused) {
        guard isOwnVLAN(ethernet.tags) else { throw .drop(.otherVLAN) }
    }

    /// Whether a frame is of the VLAN in which the host itself sends. VLAN 0 is none (802.1Q section 9.6).
    func isOwnVLAN(_ other: VLANTags) -> Bool {
        (tags.outer?.identifier ?? 0, tags.inner?.identifier ?? 0)
            == (other.outer?.identifier ?? 0, other.inner?.identifier ?? 0)
    }
}

/// What became of a frame.
@frozen
public enum EndHostVerdict: Hashable, Sendable {
    /// It is nothing that a host answers by itself: somebody else's, or data.
    case notMine
    /// It is dealt with.
    case taken
    /// So many octets of the buffer are to be sent by the interface that the frame came in by.
    case answer(Int)
    /// A router tells of the way of a packet that may have been sent from here.
    case path(PathReport)
}

/// Why a frame is answered no further.
enum Refused: Error {
    case parse(ParseFailure)
    case drop(EndHostDrop)
}
