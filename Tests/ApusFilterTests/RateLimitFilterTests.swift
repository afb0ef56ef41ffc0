import ApusConfig
import ApusWire
import NetworkLab
import Testing

@testable import ApusFilter

/// The filter on an interface, with real traffic.
@Suite(.requires(.root)) struct RateLimitFilterTests {
    /// How many of ten pings are answered.
    private func answers(_ net: Pair) throws -> Int {
        let output = try net.a.run("sh", "-c", "ping -c 10 -i 0.01 -W 1 192.0.2.2 || true").standardOutput
        return output.split(separator: " ").first { $0 == "received," }.map { _ in
            let words = output.split(separator: " ")
            return Int(words[words.firstIndex(of: "received,")! - 1]) ?? -1
        } ?? -1
    }

    @Test(arguments: [RateLimitFilter.Mode.native, .generic])
    func `It judges what comes in, is changed while it does, and leaves nothing`(
        _ mode: RateLimitFilter.Mode
    ) throws {
        let net = try Pair("filter")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            let filter = try RateLimitFilter.load(rules, on: "vb", mode: mode)
            #expect(throws: FilterError.self) { try RateLimitFilter.load(rules, on: "vb", mode: mode) }
            #expect(RateLimitFilter.all() == [filter])
            #expect(try answers(net) == 10)
            #expect(try filter.status().reasons[.within]!.packets >= 10)

            rules.limits = [RateLimit(scope: .source, packets: PacketRate(perSecond: 0.001), packetBurst: 4)]
            try filter.replace(rules)
            #expect(try answers(net) == 4)
            #expect(try filter.rules() == rules)
            let status = try filter.status()
            #expect(status.limits[0].dropped.packets == 6)
            #expect(status.sources.known >= 1)

            let sender = FilterSubject.source(AddressPrefix("192.0.2.1/32")!)
            try filter.add(FilterEntry(sender, .allow))
            #expect(try answers(net) == 10)
            try filter.add(FilterEntry(sender, .deny))
            #expect(try answers(net) == 0)
            #expect(try filter.status().reasons[.deniedSource]!.packets == 10)
            try filter.remove(sender)
            try filter.removeLimit(named: "source")
            #expect(try answers(net) == 10)
            #expect(throws: FilterError.self) { try filter.remove(sender) }

            try filter.unload()
            #expect(RateLimitFilter.all().isEmpty)
            #expect(throws: FilterError.self) { try filter.status() }
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(
            try net.b.run("sh", "-c", "ls -d /sys/fs/bpf/apus 2>/dev/null || true").standardOutput.isEmpty)
    }
}
