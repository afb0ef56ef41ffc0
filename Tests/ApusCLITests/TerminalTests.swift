import Testing

@testable import ApusCLI

@Suite struct TerminalTests {
    @Test(arguments: [
        (0, "0 packets/s"), (0.5, "0.50 packets/s"), (7, "7 packets/s"), (950, "950 packets/s"),
        (999.7, "1.00 k packets/s"),
        (12_345, "12.3 k packets/s"), (123_456, "123 k packets/s"), (1_488_095, "1.49 M packets/s"),
        (9_999_000, "10.0 M packets/s"), (.nan, "0 packets/s"),
    ])
    func `packet rates have three digits`(rate: Double, text: String) {
        #expect(Units.packetRate(rate) == text)
    }

    @Test(arguments: [
        (0, "0 bit/s"), (999, "999 bit/s"), (128_000, "128 kbit/s"), (9_870_000_000, "9.87 Gbit/s"),
        (1e15, "1000 Tbit/s"),
    ])
    func `bit rates carry the prefix of the unit`(rate: Double, text: String) {
        #expect(Units.bitRate(rate) == text)
    }

    @Test func `sizes, counts and shares are read as people read them`() {
        #expect([0, 512, 1536, 16 << 30].map(Units.bytes) == ["0 B", "512 B", "1.50 KiB", "16.0 GiB"])
        #expect([0, 999, 1000, -1_234_567].map(Units.count) == ["0", "999", "1,000", "-1,234,567"])
        #expect([0, 0.00012, 0.125, 1].map(Units.percent) == ["0.00 %", "0.01 %", "12.5 %", "100 %"])
    }

    @Test(arguments: [
        (0, "0.00 s"), (0.000_000_4, "0.40 µs"), (0.000_012, "12.0 µs"), (0.001_5, "1.50 ms"),
        (0.099_96, "100 ms"), (0.1, "0.10 s"), (2, "2.00 s"), (123.456, "123.46 s"),
    ])
    func `a time too short for hundredths of a second has a smaller unit`(seconds: Double, text: String) {
        #expect(Units.seconds(seconds) == text)
    }

    @Test func `a table aligns texts at the left and numbers at the right`() {
        var table = Table([
            .init(title: "stream"), .init(title: "packets", isNumber: true), .init(title: "to"),
        ])
        table.add(["camera", "1,234,567", "a"])
        table.add(["音声", "8", "bb\u{1b}[2J"])
        #expect(
            table.lines() == [
                "stream    packets  to",
                "camera  1,234,567  a",
                "音声            8  bb [2J",
            ])
    }

    @Test func `a table that is too wide shortens its widest text`() {
        var table = Table([.init(title: "stream"), .init(title: "packets", isNumber: true)])
        table.add(["a camera with a long name", "1,234,567"])
        #expect(table.lines(width: 24) == ["stream           packets", "a camera wit…  1,234,567"])
        #expect(table.lines(width: 5)[1] == "a camer…  1,234,567")
    }

    @Test func `a text is broken at its spaces`() {
        #expect(wrapped("the quick brown fox", width: 9) == ["the quick", "brown fox"])
        #expect(wrapped("incomprehensibilities are long", width: 9) == ["incomprehensibilities", "are long"])
        #expect(wrapped("", width: 9) == [""])
        #expect(truncated("音声と映像", to: 5) == "音声…")
        #expect(truncated("音声", to: 4) == "音声")
    }
}
