/// What the steering program did with the frames it saw, over all CPUs.
public struct SteeringCounters: Sendable, Hashable {
    /// Redirected to a socket.
    public var steered: UInt64 = 0
    /// Left to the kernel: neither IPv4 nor IPv6 (ARP among them).
    public var passedNotIP: UInt64 = 0
    /// Left to the kernel: a fragment, which only it reassembles.
    public var passedFragment: UInt64 = 0
    /// Left to the kernel: not UDP.
    public var passedNotUDP: UInt64 = 0
    /// Left to the kernel: UDP to a port or address that was not asked for.
    public var passedNoPort: UInt64 = 0
    /// Left to the kernel although asked for: no socket is open on the queue it came in by.
    public var passedNoSocket: UInt64 = 0
    /// Left to the kernel: headers cut short, or more of them than are looked at.
    public var passedMalformed: UInt64 = 0
    /// Left to the kernel in generic mode: datagrams that it had merged into one packet, longer than the MTU.
    public var passedMerged: UInt64 = 0

    /// Nothing seen yet.
    public init() {}

    /// All of them, in the order of the program's map.
    static var fields: [WritableKeyPath<SteeringCounters, UInt64>] {
        [
            \.steered, \.passedNotIP, \.passedFragment, \.passedNotUDP, \.passedNoPort, \.passedNoSocket,
            \.passedMalformed, \.passedMerged,
        ]
    }

    /// Adds what another program has counted.
    package mutating func add(_ other: SteeringCounters) {
        for field in Self.fields { self[keyPath: field] += other[keyPath: field] }
    }

    /// What was left to the kernel, each with its name in statistics, as the label of a metric: `no_port`.
    public var passed: [(reason: String, count: UInt64)] {
        Self.passes.map { ($0.reason, self[keyPath: $0.count]) }
    }

    /// Why frames are left to the kernel: the name in statistics, and a sentence.
    package static var passes: [(reason: String, sentence: String, count: KeyPath<SteeringCounters, UInt64>)]
    {
        [
            ("not_ip", "it is neither IPv4 nor IPv6, such as ARP", \.passedNotIP),
            ("fragment", "it is a fragment, which only the kernel puts together", \.passedFragment),
            ("not_udp", "it is not UDP", \.passedNotUDP),
            ("no_port", "it is UDP to an address or port that no stream listens at", \.passedNoPort),
            (
                "no_socket", "it is a stream's, and no port was open on the queue it came in by",
                \.passedNoSocket
            ),
            ("malformed", "its headers are cut short, or more than are looked at", \.passedMalformed),
            (
                "merged",
                "the kernel had merged datagrams into it, longer than the MTU (generic mode)",
                \.passedMerged
            ),
        ]
    }

    /// All frames seen.
    public var seen: UInt64 { passed.reduce(steered) { $0 + $1.count } }
}
