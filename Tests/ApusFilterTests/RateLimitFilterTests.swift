import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import NetworkLab
import Testing

@testable import ApusFilter

/// The filter on an interface, with real traffic.
@Suite(.requires(.root)) struct RateLimitFilterTests {
    /// How many of ten pings are answered.
    private func answers(_ net: Pair) throws -> Int {
        let output = try net.a.run("sh", "-c", "ping -c 10 -i 0.01 -W 1 192.0.2.2 || true").standardOutput
        let words = output.split(separator: " ")
        // busybox says "packets received".
        guard let place = words.firstIndex(of: "received,") else { return -1 }
        return Int(words[place - 1]) ?? Int(words[place - 2]) ?? -1
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
            #expect(throws: FilterError("vb", .alreadyLoaded)) {
                try RateLimitFilter.load(rules, on: "vb", mode: mode)
            }
            #expect(try RateLimitFilter.all() == [filter])
            #expect(try answers(net) == 10)
            #expect(try filter.status().reasons[.within]!.packets >= 10)

            rules.limits = [
                FilterLimit(scope: .source, packets: PacketRate(perSecond: 0.001), packetBurst: 4)
            ]
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
            #expect(throws: FilterError("vb", .notThere("there is no entry 192.0.2.1"))) {
                try filter.remove(sender)
            }

            try filter.unload()
            #expect(try RateLimitFilter.all().isEmpty)
            #expect(throws: FilterError("vb", .notLoaded)) { try filter.status() }
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(
            try net.b.run("sh", "-c", "ls -d /sys/fs/bpf/apus 2>/dev/null || true").standardOutput.isEmpty)
    }

    @Test func `Rules that are not in force are explained, also where no filter is`() throws {
        let net = try Pair("trial")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            rules.policy = .deny
            rules.entries = [FilterEntry(.source(AddressPrefix("192.0.2.1/32")!), .allow, isLimited: true)]
            rules.limits = [FilterLimit(scope: .source, packets: PacketRate(perSecond: 1), packetBurst: 2)]
            var explanation = try FilterExplanation(of: rules, for: "vb")
            let header: [UInt8] =
                [UInt8](repeating: 2, count: 12) + [8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0]
            func frame(_ last: UInt8) -> [UInt8] { header + [192, 0, 2, last, 192, 0, 2, 9] }
            #expect(try explanation.judge(frame(1)).verdict == .reason(.within))
            #expect(try explanation.judge(frame(1)).limits == [0])
            #expect(try explanation.judge(frame(1)).verdict == .limit(0))
            #expect(try explanation.judge(frame(1), at: 1_000_000_000).passed)
            #expect(try explanation.judge(frame(2)).verdict == .reason(.policy))
            let short = "a frame has 14 octets at least, and this one 3"
            #expect(throws: FilterError("vb", .unavailable(short))) { try explanation.judge([1, 2, 3]) }
            #expect(try RateLimitFilter.all().isEmpty)
            rules.limits[0].packets = nil
            let refusal = #expect(throws: FilterError.self) {
                try FilterExplanation(of: rules, for: "vb").rules
            }
            guard case .rules(let errors)? = refusal?.cause else {
                Issue.record("\(String(describing: refusal))")
                return
            }
            // No rate, and a burst of what has none.
            #expect(errors.errors.count == 2)
        }
    }

    @Test func `A filter of another version is refused by all but unload`() throws {
        let net = try Pair("version")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            var state = try filter.current().state
            (state.format, state.version) = (999, "99.0")
            let path = filter.store.path("1/state")
            try BPFFileSystem.unpin(path)
            try state.map().pin(to: path)
            let refusal = #expect(throws: FilterError.self) { try RateLimitFilter(on: "vb") }
            #expect(refusal?.cause == .otherVersion(found: "Apus 99.0"))
            // It is in force all the same, so that nobody cleans it up in passing.
            #expect(try RateLimitFilter.cleanUp().isEmpty)
            try RateLimitFilter.unload(from: "vb")
            #expect(try !filter.store.exists())
            #expect(throws: FilterError("vb", .notLoaded)) { try RateLimitFilter.unload(from: "vb") }
            _ = try RateLimitFilter.load(FilterRules(), on: "vb", mode: .generic)
            let all = try RateLimitFilter.unloadAll()
            #expect(all.map(\.interface) == ["vb"] && all.map(\.removal) == [.filter])
            #expect(try RateLimitFilter.unloadAll().isEmpty && !filter.store.exists())
        }
    }

    @Test func `What is over in a millisecond is not written down again`() {
        let (now, millisecond) = (UInt64(5_000_000_000), UInt64(1_000_000))
        let entry = { (until: UInt64) in
            FilterEntry(
                .ipProtocol(47), apus_entry(until: until, verdict: 3, next: 0, next_until: 0), now: now)
        }
        #expect(entry(now + millisecond)?.lifetime == FilterDuration(nanoseconds: millisecond))
        #expect(entry(now + millisecond - 1) == nil && entry(now - 1) == nil)
        #expect(entry(0)?.lifetime == nil && entry(0)?.verdict == .deny)
    }

    @Test func `Rules are in force also where the folder of the old ones stays`() throws {
        let net = try Pair("busy")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            let busy = filter.store.path("1/busy")
            try net.b.run("sh", "-c", "mkdir \(busy) && mount -t tmpfs none \(busy)")
            var rules = FilterRules()
            for number in [UInt8(2), 3, 4] {
                rules.entries = [FilterEntry(.ipProtocol(number), .deny)]
                try filter.replace(rules)
                #expect(try filter.rules().entries == rules.entries)
                #expect(try filter.store.generations() == [1, Int(number)])
            }
            try net.b.run("umount", busy)
            try filter.replace(FilterRules())
            #expect(try filter.store.generations() == [5])
            try filter.unload()
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }
}
