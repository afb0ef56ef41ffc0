import Apus
import ApusBench
import Foundation
import Relays

// What the packet filter costs a packet, beside xdp-filter with all its features. Both are loaded on a veth interface as
// users load them, and what then sits there is run on a packet over and over by the kernel (BPF_PROG_TEST_RUN): nothing
// is received or sent, so that only the judging is timed, and of Apus all of it, the entry program and the rules that it
// jumps to. What a flood costs, with all that it takes to receive it, is in Relays/Flood.

/// The suite `filter`.
///
/// - Parameters:
///   - sender: the core that the flood comes from.
///   - line: what measures it as root.
func filter(_ cores: Cores, sender: Int?, asRoot line: String) -> Suite {
    let missing =
        geteuid() != 0
        ? "it needs root, for network namespaces: \(line)"
        : ["ip", "xdp-filter"].first { !isInstalled($0) }.map {
            "\($0) is not in PATH: make setup WITH=bench-peers installs it"
        }
    if let missing {
        return Suite("filter", leftOut: ["filter can't be measured here: \(missing)"], [Trial]())
    }
    let flood = floodTrial(guardCore: cores.own, senderCore: sender)
    return Suite(
        "filter", versions: try filterVersions(), leftOut: [flood.leftOut].compactMap(\.self),
        besideXDPFilter().map { Trial($0) } + [Trial(bare()), Trial(oneSource())]
            + (besideFewerSources() + recipePackets() + worstPackets()).map { Trial($0) }
            + [flood.trial].compactMap(\.self))
}

/// `xdp-filter version 1.3.1 using libbpf version 1.1.2`, without the first two words.
private func filterVersions() throws -> [String: String] {
    // It says so and fails.
    let words = try output(of: ["sh", "-c", "xdp-filter load --version || true"]).split { $0.isWhitespace }
    var versions = ["xdp-filter": words.dropFirst(2).joined(separator: " ")]
    if isInstalled("nft") {
        let words = try output(of: ["nft", "--version"]).split { $0.isWhitespace }
        versions["nftables"] = words.dropFirst().joined(separator: " ")
    }
    return versions
}

/// The four ways that a packet of one source can go, of both filters with all lists in use; and `marked`, the first of them
/// where a list has something about the packet's network, so that a look at its mark is not enough.
private func besideXDPFilter() -> [Comparison] {
    let source = FilterSubject.source(AddressPrefix("192.0.2.1/32")!)
    let listed = ["ip --mode src 192.0.2.1"]
    func comparison(
        _ name: String, _ verdict: FilterVerdict, _ rules: FilterRules, policy: String = "allow",
        listed: [String] = [], peerVerdict: XDPAction = .pass
    ) -> Comparison {
        Comparison("filter/\(name)", per: "packet") {
            let filter = try LoadedFilter(apus: rules)
            try filter.check(verdict)
            return filter.competitor("Apus", verdict.passes ? .pass : .drop)
        } peer: {
            let filter = try LoadedFilter(xdpFilterWith: policy, listed)
            return filter.competitor("xdp-filter", peerVerdict)
        }
    }
    var (marked, allowed, denied, limited) = (Rules.all, Rules.all, Rules.all, Rules.all)
    marked.entries.append(FilterEntry(.source(AddressPrefix("192.0.2.128/25")!), .deny))
    allowed.policy = .deny
    allowed.entries.append(FilterEntry(source, .allow))
    denied.entries.append(FilterEntry(source, .deny))
    limited.limits[0].packets = PacketRate(perSecond: 0.001)
    limited.limits[0].packetBurst = 1
    return [
        comparison("pass", .reason(.within), Rules.all),
        comparison("marked", .reason(.within), marked),
        comparison("allowed", .reason(.allowedSource), allowed, policy: "deny", listed: listed),
        comparison("denied", .reason(.deniedSource), denied, listed: listed, peerVerdict: .drop),
        comparison("limited", .limit(0), limited),
    ]
}

/// Without lists and limits, with nobody beside it.
private func bare() -> Subject {
    Subject("filter/bare", per: "packet") {
        let filter = try LoadedFilter(apus: FilterRules())
        try filter.check(.reason(.within))
        return filter.competitor("Apus", .pass)
    }
}

/// One source in a table for a million.
private func oneSource() -> Subject {
    Subject("filter/sources-1", per: "packet") { try SprayedFilter(sources: 1).competitor("Apus") }
}

/// What it costs that packets are of many sources, in a table for a million.
private func besideFewerSources() -> [Comparison] {
    [1000, 100_000, 1_000_000].map { sources in
        Comparison("filter/sources-\(sources)", per: "packet") {
            try SprayedFilter(sources: sources).competitor("Apus")
        } peer: {
            try SprayedFilter(sources: 1).competitor("1 source")
        }
    }
        + [("", false), ("-slow", true)].map { name, isSlow in
            Comparison("filter/sources-random\(name)", per: "packet") {
                try SprayedFilter.full(slowly: isSlow).competitor("Apus")
            } peer: {
                try SprayedFilter(sources: 1_000_000).competitor("1000000 known")
            }
        }
}
