/// What a number in the configuration may be.
struct IntegerRule {
    let range: ClosedRange<Int>
    /// What is counted, as it stands before "from": `a number of queues`.
    let unit: String
    var powerOfTwo = false

    /// What is wrong with `value`, or nil.
    func refusal(of value: Int) -> String? {
        if range.contains(value), !powerOfTwo || value.nonzeroBitCount == 1 { return nil }
        return "expected \(unit) from \(range.lowerBound) to \(range.upperBound), found \(value)"
    }

    static let queues = IntegerRule(range: 1...256, unit: "a number of queues")
    static let ringSize = IntegerRule(
        range: 64...65_536, unit: "a power of two, the descriptors of a ring,", powerOfTwo: true)
    /// What AF_PACKET takes at most, as it bounds both of a socket's rings; AF_XDP takes all of ``ringSize``.
    static let packetRingSize = IntegerRule(
        range: 64...32_768, unit: "a power of two, the slots of a ring of AF_PACKET,", powerOfTwo: true)
    /// One memory has room for no more, were it for a single queue.
    /// What DPDK's interfaces can name.
    static let dpdkRingSize = IntegerRule(
        range: 64...32_768, unit: "a power of two, the descriptors of a ring of DPDK,", powerOfTwo: true)
    static let mtu = IntegerRule(range: 68...65_535, unit: "an MTU")
    static let eal = IntegerRule(range: 16...1_048_576, unit: "MiB")
    static let frames = IntegerRule(range: 256...(1 << 20), unit: "a number of frames for each queue")
    static let busyPollTime = IntegerRule(range: 1...10_000, unit: "microseconds")
    static let busyPollBudget = IntegerRule(range: 1...65_535, unit: "a number of packets")
    static let ttl = IntegerRule(range: 1...255, unit: "a TTL or hop limit")
    static let workers = IntegerRule(range: 1...256, unit: "a number of workers")
    static let cpu = IntegerRule(range: 0...1023, unit: "the number of a core")
    static let idleTime = IntegerRule(range: 0...1_000_000, unit: "microseconds")
    static let streams = IntegerRule(range: 1...1_000_000, unit: "a number of streams")
    static let destinations = IntegerRule(range: 1...1024, unit: "a number of destinations")
    /// The endpoints that the steering program of AF_XDP can be told.
    static let steeredEndpoints = 65_536
    static let pendingPackets = IntegerRule(range: 0...65_536, unit: "a number of packets")
}

extension ConfigurationReport {
    func check(_ value: Int?, _ rule: IntegerRule, at location: ConfigurationLocation) {
        if let value, let refusal = rule.refusal(of: value) { add(refusal, at: location) }
    }
}
