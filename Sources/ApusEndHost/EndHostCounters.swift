public import ApusRings
import ApusWire

/// What a host looks at, by protocol.
public enum EndHostMessage: Int, Sendable, CaseIterable {
    /// ARP.
    case arp
    /// ICMP over IPv4.
    case icmpv4
    /// ICMPv6 but for neighbor discovery.
    case icmpv6
    /// A neighbor solicitation or advertisement.
    case neighborDiscovery

    /// The protocol as the label of a metric: `neighbor_discovery`.
    public var label: String {
        switch self {
        case .arp: "arp"
        case .icmpv4: "icmpv4"
        case .icmpv6: "icmpv6"
        case .neighborDiscovery: "neighbor_discovery"
        }
    }
}

/// What a host sends by itself.
public enum EndHostFrame: Int, Sendable, CaseIterable {
    /// An answer to an ARP request.
    case arpReply
    /// An answer to a neighbor solicitation.
    case advertisement
    /// An answer to an echo request.
    case echoReply
    /// An announcement against somebody who uses the host's IPv4 address.
    case defense
    /// A question for a neighbor, by ARP or by a neighbor solicitation.
    case solicitation
    /// An announcement at the start.
    case announcement
    /// A question whether anybody has an address of the host's already.
    case duplicateProbe
    /// A report of the groups in which neighbors solicit it.
    case listenerReport
    /// An ICMP error.
    case error

    /// What it is as the label of a metric: `arp_reply`.
    public var label: String {
        switch self {
        case .arpReply: "arp_reply"
        case .advertisement: "advertisement"
        case .echoReply: "echo_reply"
        case .defense: "defense"
        case .solicitation: "solicitation"
        case .announcement: "announcement"
        case .duplicateProbe: "duplicate_probe"
        case .listenerReport: "listener_report"
        case .error: "error"
        }
    }
}

/// What a host counts, for everyone to read.
///
/// Nothing is lost without a name: `received == Σ messages == arpReply + advertisement + echoReply + defense + noted + reported +
/// Σ parseFailures + Σ drops`. Of the errors that it was told to send: `errorsAsked == error + Σ errorRefusals`.
public struct EndHostCounters: ~Copyable, Sendable {
    /// Frames that were the host's to look at: all but those with ``EndHostVerdict/notMine``.
    public let received = Counter()
    /// Those, by ``EndHostMessage``.
    public let messages: FixedArray<Counter>
    /// Frames that told something and need no answer.
    public let noted = Counter()
    /// Frames that told of the way of packets: ``EndHostVerdict/path(_:)``.
    public let reported = Counter()
    /// Frames refused because of what is in them, by ``ParseFailure``.
    public let parseFailures: FixedArray<Counter>
    /// Frames dropped, by ``EndHostDrop``.
    public let drops: FixedArray<Counter>
    /// Frames written to be sent, by ``EndHostFrame``.
    public let sent: FixedArray<Counter>
    /// Errors that were to be sent.
    public let errorsAsked = Counter()
    /// Errors not written, by ``ICMPErrorRefusal``.
    public let errorRefusals: FixedArray<Counter>
    /// Frames of others that use an address of the host's.
    public let conflicts = Counter()
    /// Neighbors that have not answered.
    public let neighborsFailed = Counter()
    /// Neighbors whose link-layer address has changed.
    public let neighborsMoved = Counter()
    /// Neighbors given up for newer ones.
    public let neighborsEvicted = Counter()
    /// Neighbors for which there was no room.
    public let neighborsRefused = Counter()

    /// All at 0.
    public init() {
        messages = FixedArray(count: EndHostMessage.allCases.count) { _ in Counter() }
        parseFailures = FixedArray(count: ParseFailure.count) { _ in Counter() }
        drops = FixedArray(count: EndHostDrop.allCases.count) { _ in Counter() }
        sent = FixedArray(count: EndHostFrame.allCases.count) { _ in Counter() }
        errorRefusals = FixedArray(count: ICMPErrorRefusal.allCases.count) { _ in Counter() }
    }

    func count(_ message: EndHostMessage) { messages[message.rawValue].add() }
    func count(_ failure: ParseFailure) { parseFailures[Int(failure.rawValue)].add() }
    func count(_ drop: EndHostDrop) { drops[drop.rawValue].add() }
    func count(_ frame: EndHostFrame) { sent[frame.rawValue].add() }
    func count(_ refusal: ICMPErrorRefusal) { errorRefusals[refusal.rawValue].add() }
}
