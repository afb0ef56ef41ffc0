import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Seeds
import Testing

@testable import ApusFilter

/// What a filter finds that another one left.
@Suite(.requires(.root)) struct StateTests {
    /// Pins another text in the place of what is written down.
    private func rewrite(_ filter: RateLimitFilter, _ change: (String) -> String) throws {
        let path = try filter.store.path("\(#require(filter.store.generations().last))/state")
        let text = change(try FilterState.text(in: BPFMap(opening: path)))
        let size = MemoryLayout<apus_text>.size
        let map = try BPFMap<UInt32, apus_text>(
            creating: .array, name: "apus_state", maxEntries: text.utf8.count / size + 1)
        var (octets, key) = (Array(text.utf8), UInt32(0))
        while !octets.isEmpty {
            var piece = apus_text()
            unsafe withUnsafeMutableBytes(of: &piece) { unsafe $0.copyBytes(from: octets.prefix(size)) }
            try map.update(key, piece)
            key += 1
            octets.removeFirst(min(size, octets.count))
        }
        try BPFFileSystem.unpin(path)
        try map.pin(to: path)
    }

    @Test func theStateOfAnotherVersionIsNamedAndCanBeUnloaded() throws {
        let net = try Pair("version")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            let version = try filter.status().version
            try rewrite(filter) { text in
                text.replacing("apus-filter \(APUS_FILTER_VERSION)\n", with: "apus-filter 999\n")
                    .replacing("version \(version)\n", with: "version 9.9.9\n")
            }
            func expectRefused(_ body: () throws -> Void) {
                let error = #expect(throws: FilterError.self) { try body() }
                #expect(error?.cause == .otherVersion(found: "Apus 9.9.9"))
                #expect(error?.description.contains("was loaded by Apus 9.9.9") == true)
            }
            expectRefused { _ = try filter.status() }
            expectRefused { _ = try RateLimitFilter(on: "vb") }
            expectRefused { try filter.replace(FilterRules()) }
            expectRefused { _ = try RateLimitFilter.load(FilterRules(), on: "vb") }
            // It is in force, so nobody cleans it up by the way.
            #expect(try RateLimitFilter.cleanUp().isEmpty)
            #expect(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp"))
            try filter.unload()
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    @Test(arguments: ["", "apus-filter", "no state at all", "apus-filter 1\n\n{}"])
    func whatIsNoStateCanBeUnloaded(_ text: String) throws {
        let net = try Pair("spoiled")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            try rewrite(filter) { _ in text }
            let error = #expect(throws: FilterError.self) { try filter.status() }
            #expect(error?.cause == .otherVersion(found: "an unknown version of Apus"))
            try filter.unload()
            try RateLimitFilter.load(FilterRules(), on: "vb").unload()
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    /// A state that has all that can be written down.
    private static func full() throws -> FilterState {
        let rules = try FilterRules(
            parsing: """
                { policy: 'deny', management: ['tcp/2222'], deny: ['udp/7', 'from:tcp/11211'],
                  limits: [{ each: 'source', rate: '1kpps' }, { name: 'x y', rate: ['5pps', '1Mbit'] }] }
                """, name: "rules")
        var state = FilterState(
            version: "1.2.3", interface: "eth0.7", mode: .native, caller: .alone(takesFragments: true),
            takesFragments: true, remarks: ["one", "another one"], loaded: 1_700_000_000,
            changed: 1_800_000_000,
            secret: [1, 2, 3, 4, 5, 6, 7, .max], numbers: LimitNumbers(), rules: FilterRules(), until: [:])
        state.set(rules, numbers: LimitNumbers().replaced(by: rules.limits), now: 5)
        state.until[.ipProtocol(7)] = 9
        return state
    }

    @Test func aTextThatIsSpoiledInAnyWayIsRefusedOrReadAndCrashesNobody() throws {
        let state = try Self.full()
        let text = state.text
        let read = try FilterState(parsing: text)
        #expect(read.text == text && read.until == state.until && read.remarks == state.remarks)
        for line in [
            " ", "   ", "until", "until ", "until    ", "until 7", "until 7 ", "remark", "remark ", "\0",
        ] {
            #expect(throws: Never.self) { try FilterState(parsing: "\(line)\n" + text) }
        }
        for (key, value) in [
            ("loaded", "-9223372036854775808"), ("changed", "9223372036854775807"), ("loaded", "x"),
            ("numbers", "1"), ("numbers", "1 x"), ("numbers", "-1 2"), ("places", "-"), ("secret", "1 2 3"),
            ("mode", "fast"), ("caller", ""), ("apus-filter", "0"),
        ] {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
                $0.hasPrefix("\(key) ") ? "\(key) \(value)" : String($0)
            }
            #expect(throws: FilterState.Refusal.self, "\(key) \(value)") {
                try FilterState(parsing: lines.joined(separator: "\n"))
            }
        }
        // Each read as far as it can be, and then used as a reload does.
        var (random, accepted) = (Seeded(1), 0)
        for _ in 0..<4000 {
            var octets = Array(text.utf8)
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let place = Int.random(in: 0..<octets.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: octets[place] = UInt8(Int.random(in: 0..<256, using: &random))
                case 1: octets.remove(at: place)
                case 2: octets.insert(Array(" \n-0:".utf8)[Int.random(in: 0..<5, using: &random)], at: place)
                case 3:
                    octets.removeSubrange(
                        place..<min(place + Int.random(in: 0..<40, using: &random), octets.count))
                default:
                    let end = min(place + Int.random(in: 0..<40, using: &random), octets.count)
                    octets.insert(
                        contentsOf: octets[place..<end], at: Int.random(in: 0..<octets.count, using: &random))
                }
            }
            guard let read = try? FilterState(parsing: String(decoding: octets, as: UTF8.self)) else {
                continue
            }
            accepted += 1
            let next = read.numbers.replaced(by: state.rules.limits)
            #expect(next.inForce.count == 2)
            #expect(throws: Never.self) { try FilterState(parsing: read.text) }
        }
        #expect(accepted > 100 && accepted < 3900, "\(accepted)")
    }

    /// Puts another map in the place of a pinned one.
    private func replace<Key, Value>(
        _ name: String, of filter: RateLimitFilter, with map: BPFMap<Key, Value>
    ) throws {
        let path = filter.store.path(name)
        try BPFFileSystem.unpin(path)
        try map.pin(to: path)
    }

    @Test func aMapThatIsNotWhatItShouldBeIsRefusedByAllButUnload() throws {
        let net = try Pair("maps")
        defer { net.lab.close() }
        try net.b.enter {
            func expectRefused(_ detail: String, _ spoil: (RateLimitFilter) throws -> Void) throws {
                let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
                try spoil(filter)
                for attempt in [
                    { _ = try filter.status() }, { _ = try filter.rules() }, { _ = try filter.sources() },
                    { _ = try filter.explanation() }, { try filter.replace(FilterRules()) },
                    { try filter.add(FilterEntry(.ipProtocol(7), .deny)) },
                    { _ = try RateLimitFilter.load(FilterRules(), on: "vb") },
                ] as [() throws -> Void] {
                    let error = #expect(throws: FilterError.self) { try attempt() }
                    #expect(error?.description.contains(detail) == true, "\(String(describing: error))")
                }
                #expect(try RateLimitFilter.all() == [filter])
                #expect(try RateLimitFilter.cleanUp().isEmpty)
                #expect(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp"))
                try filter.unload()
                #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
            }
            try expectRefused("it is of the type 2 with room for 512, not of 2 with room for 256 to 256") {
                try replace(
                    "1/protocols", of: $0,
                    with: BPFMap<UInt32, apus_entry>(creating: .array, name: "apus_other", maxEntries: 512))
            }
            try expectRefused("it is of the type 5 with room for 9, not of 9") {
                try replace(
                    "1/bans", of: $0,
                    with: BPFMap<apus_address, apus_ban>(
                        creating: .perCPUHash, name: "apus_other", maxEntries: 9))
            }
            try expectRefused("it is of the type 2 with room for 300000, not of 2 with room for 1 to 262144")
            {
                try replace(
                    "1/ports", of: $0,
                    with: BPFMap<UInt32, apus_entry>(
                        creating: .array, name: "apus_other", maxEntries: 300_000))
            }
            try expectRefused("its keys have 4 bytes and its values 24, not 16 and 24") {
                try replace(
                    "1/addresses", of: $0,
                    with: BPFMap<UInt32, apus_entry>(creating: .hash, name: "apus_other", maxEntries: 9))
            }
            try expectRefused("1/state: No such file or directory") {
                try BPFFileSystem.unpin($0.store.path("1/state"))
            }
            // The rules in force are in no folder.
            try expectRefused("loaded by an unknown version of Apus") {
                try BPFFileSystem.removeFolder($0.store.path("1"))
            }
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    @Test func aKeyThatIsNoPrefixIsToldOf() throws {
        let net = try Pair("keys")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            rules.entries = [FilterEntry(.source(AddressPrefix("203.0.113.0/24")!), .deny)]
            let filter = try RateLimitFilter.load(rules, on: "vb")
            let prefixes = try filter.current().maps.prefixes
            for length in [UInt32(33), 8] {
                var key = apus_prefix(AddressPrefix("198.51.100.0/24")!)
                key.length = length
                try prefixes.update(
                    key,
                    apus_entry(until: 0, verdict: APUS_VERDICT_DENY.rawValue, next: length, next_until: 0))
                let error = #expect(throws: FilterError.self) { try filter.rules() }
                #expect(
                    error?.cause
                        == .failed(
                            "reading the map apus_prefixes", code: EINVAL,
                            detail: "it has a key that is no prefix"))
                try prefixes.remove(key)
            }
            #expect(try filter.rules().entries == rules.entries)
            try filter.unload()
        }
    }
}
