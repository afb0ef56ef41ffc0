import ApusConfig
import ApusWire
import Glibc
import Seeds
import Testing

@Suite struct HostileConfigurationTests {
    @Test func `64 levels are read and 65 refused`() throws {
        let (open, close) = (String(repeating: "[", count: 64), String(repeating: "]", count: 64))
        _ = try json5(open + close)
        #expect(
            complaint(about: "[" + open + close + "]").hasPrefix(
                "x.json5:1:65: too deep: arrays and objects may be in one another 64 times"))
    }

    @Test func `a million open brackets neither crash nor hang`() {
        for bracket in ["[", "{a:", "[{a:"] {
            #expect(complaint(about: String(repeating: bracket, count: 1_000_000)).contains("too deep"))
        }
    }

    @Test func `16 MiB are the most`() {
        let most = JSON5Limits().bytes
        var bytes = [UInt8](repeating: UInt8(ascii: " "), count: most)
        bytes[most - 1] = UInt8(ascii: "1")
        #expect(throws: Never.self) { try JSON5Value(parsing: ConfigurationSource(name: "x", bytes: bytes)) }
        bytes.insert(UInt8(ascii: " "), at: 0)
        #expect {
            try JSON5Value(parsing: ConfigurationSource(name: "x", bytes: bytes))
        } throws: {
            "\($0)".hasPrefix("x:1:1: the file is too long: it may have 16777216 bytes, and has 16777217")
        }
    }

    @Test func `more values than a configuration needs are refused`() {
        var limits = JSON5Limits()
        limits.values = 4
        let source = ConfigurationSource(name: "x", text: "[1, 2, 3, 4]")
        #expect { try JSON5Value(parsing: source, limits: limits) } throws: {
            "\($0)".hasPrefix("x:1:11: too many values: a configuration may have 4")
        }
    }

    @Test func `a file of nothing but mistakes is answered with the first twenty and a count`() {
        let keys = (0..<20_000).map { "k\($0): 1" }.joined(separator: ", ")
        let shown = complaint(aboutForwarder: "{ streams: [], \(keys) }")
        #expect(shown.hasSuffix("\n… and 19981 more"))
        #expect(shown.split(separator: "\n").count { $0.hasPrefix("x.json5:") } == 20)
    }

    @Test(arguments: ["0", "-1", "-9223372036854775808"])
    func `a limit out of range is refused, and is no place in the list that it limits`(_ limit: String) {
        let streams = (1...3).map { "{ listen: '192.0.2.1:\($0)', to: ['192.0.2.9:1', '192.0.2.9:2'] }" }
        let shown = complaint(
            aboutForwarder: """
                { limits: { streams: \(limit), destinations: \(limit) }, streams: [\(streams.joined(separator: ","))] }
                """)
        #expect(shown.contains("expected a number of streams from 1 to 1000000, found \(limit)"))
        #expect(shown.contains("there are 3 streams"))
    }

    @Test func `a letter with a million accents is not shown with all of them`() {
        let letter = "a" + String(repeating: "\u{301}", count: 1_000_000)
        for text in ["{ streams: [], \"\(letter)\": 1 }", "{ streams: a\(letter) }"] {
            #expect(complaint(aboutForwarder: text).unicodeScalars.count < 2000)
        }
    }

    /// One byte or piece changed, left out, doubled or moved, again and again: whatever comes of it is read or
    /// refused at a place inside the text.
    @Test(arguments: 0..<8) func `a damaged configuration never crashes the reader`(seed: UInt64) {
        var random = Seeded(seed)
        for round in 0..<400 {
            var bytes = Array(completeConfiguration.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
            let source = ConfigurationSource(name: "x.json5", bytes: bytes)
            do {
                _ = try ForwarderConfiguration(parsing: source)
            } catch {
                #expect(!error.errors.isEmpty, "seed \(seed) round \(round)")
                let lines = 1 + bytes.count { $0 == 0x0a || $0 == 0x0d }
                for error in error.errors {
                    let line = error.line ?? 0
                    #expect((1...lines).contains(line), "seed \(seed) round \(round): \(error)")
                    #expect("\(error)".contains("^"), "seed \(seed) round \(round): \(error)")
                }
            }
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout Seeded) {
        guard !bytes.isEmpty else { return }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, at + Int.random(in: 1...20, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(at..<end)
        case 2: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 3: bytes[at] = Array("{}[]:,'\"\\/*0-+.eExnN\n\r ".utf8).randomElement(using: &random)!
        case 4: bytes.removeSubrange(at...)
        case 5:
            let word = ["0xffffffffffffffffffff", "-Infinity", "\\uD800", "null", "99999999999", "''", "[]"]
                .randomElement(using: &random)!
            bytes.replaceSubrange(at..<end, with: word.utf8)
        default: bytes.swapAt(at, Int.random(in: 0..<bytes.count, using: &random))
        }
    }

    @Test func `10,000 streams are read and checked in no time`() throws {
        let streams = (0..<10_000).map { i in
            """
                { name: "camera \(i)", listen: "10.\(i >> 8).\(i & 255).1:5004",
                  to: ["198.51.100.7:\(1024 + i)", "[2001:db8::\(String(i, radix: 16))]:5004"] },
            """
        }
        let source = ConfigurationSource(
            name: "x", text: "{\n  streams: [\n" + streams.joined(separator: "\n") + "\n  ],\n}")
        var read: ForwarderConfiguration?
        let time = try processorTime { read = try ForwarderConfiguration(parsing: source) }
        #expect(read?.streams.count == 10_000)
        #expect(read?.streams[9_999].map["to", 1].position?.line == 20_002)
        #if DEBUG
            #expect(time < .seconds(10))
        #else
            #expect(time < .seconds(1))
        #endif
    }

    /// Names, ports and loops are looked up, not searched for: sixteen times the streams may not take much more
    /// than sixteen times as long.
    @Test func `the time grows with the streams and not with their square`() throws {
        func time(_ count: Int) throws -> Duration {
            var streams: [StreamConfiguration] = []
            for i in 0..<count {
                let listen = try #require(Endpoint("10.\(i >> 16).\(i >> 8 & 255).\(i & 255):5004"))
                let next = i + 1
                let to = try #require(Endpoint("10.\(next >> 16).\(next >> 8 & 255).\(next & 255):5004"))
                streams.append(StreamConfiguration(listen: listen, to: [to], interface: "if\(i)"))
            }
            let configuration = ForwarderConfiguration(streams: streams)
            return try processorTime { try configuration.validate() }
        }
        let (few, many) = (try time(1_000), try time(16_000))
        #expect(many < few * 64)
    }
}

/// The time that the calling thread had on a processor, whatever else the machine does.
func processorTime(_ body: () throws -> Void) rethrows -> Duration {
    func now() -> Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
    let start = now()
    try body()
    return now() - start
}
