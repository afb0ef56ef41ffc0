import ApusConfig
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// What nftables lets pass of the same flood, as a second opinion: its `limit` is a token bucket too.
///
/// Only of packets: where nftables counts octets, a new bucket has the burst and a second's worth on top.
@Suite(.serialized, .requires(.root, .program("nft"))) struct NftablesTests {
    /// A flood of 120,000 frames in 2.4 s, from some sources in turn, and how many came through each second beyond the
    /// burst, so that a slower machine's flood is like any.
    private func flood(
        sources: Int, burst: Int, _ filter: (Namespace) throws -> Void
    ) throws -> Double {
        let net = try Pair("nftables")
        defer { net.lab.close() }
        try filter(net.b)
        let sender = try net.a.enter { try Sender("va") }
        let receiver = try net.b.enter { try Receiver(port: 5004) }
        let frames = (0..<UInt32(sources)).map { frame(from: 0xc000_0264 + $0) }
        let time = try sender.send(frames, total: 120_000, perSecond: 50_000).time
        // What is on its way comes.
        usleep(50_000)
        let came = receiver.count()
        return Double(came - burst) / (Double(time) / 1e9)
    }

    private func load(_ limit: FilterLimit) -> (Namespace) throws -> Void {
        { space in
            var rules = FilterRules()
            rules.limits = [limit]
            try space.enter { _ = try RateLimitFilter.load(rules, on: "vb") }
        }
    }

    private func nft(_ rule: String) -> (Namespace) throws -> Void {
        { space in
            try space.run(
                ["nft", "-f", "-"],
                input: """
                    table netdev filter {
                        set sources { type ipv4_addr; size 65536; flags dynamic; }
                        chain ingress {
                            type filter hook ingress device vb priority 0; policy accept;
                            udp dport 5004 \(rule) accept
                            udp dport 5004 drop
                        }
                    }

                    """)
        }
    }

    /// How far the two may be apart. The filter goes by the kernel's ticks, of 4 ms at most, and nftables by a clock of
    /// nanoseconds: at each end of 2.4 s the filter may be a tick late, which makes 0.33 %; and of each of 20 sources, which
    /// have 1200 packets each in that time, one may be on either side of the end, which makes 0.08 %.
    private static let tolerance = 0.0042

    /// A sender who has to wait lets one's buckets fill and not the other's: it is measured again then.
    private func both(_ floods: () throws -> (Double, Double)) throws -> (ours: Double, theirs: Double) {
        try undisturbed(floods) { abs($0.0 / $0.1 - 1) < Self.tolerance }
    }

    @Test func onALimitForAll() throws {
        let limit = FilterLimit(scope: .all, packets: PacketRate(perSecond: 5000), packetBurst: 2500)
        let (ours, theirs) = try both {
            (
                try flood(sources: 1, burst: 2500, load(limit)),
                try flood(sources: 1, burst: 2500, nft("limit rate 5000/second burst 2500 packets"))
            )
        }
        print("a limit for all: \(ours) packets/s passed the filter, \(theirs) nftables")
        #expect(abs(ours / theirs - 1) < Self.tolerance)
    }

    @Test func onALimitForEachSource() throws {
        let limit = FilterLimit(scope: .source, packets: PacketRate(perSecond: 500), packetBurst: 250)
        let (ours, theirs) = try both {
            (
                try flood(sources: 20, burst: 20 * 250, load(limit)),
                try flood(
                    sources: 20, burst: 20 * 250,
                    nft("update @sources { ip saddr limit rate 500/second burst 250 packets }"))
            )
        }
        print("a limit for each of 20 sources: \(ours) packets/s passed the filter, \(theirs) nftables")
        #expect(abs(ours / theirs - 1) < Self.tolerance)
    }
}
