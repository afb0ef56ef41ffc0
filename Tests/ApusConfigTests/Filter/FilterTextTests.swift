import ApusConfig
import Testing

/// The texts that the command line shares with files: read, and written again.
@Suite struct FilterTextTests {
    private func expect<Value: ConfigurationText>(
        _ type: Value.Type, _ text: String, is written: String,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) where Value: Equatable {
        do {
            let value = try Value(text)
            #expect("\(value)" == written, sourceLocation: sourceLocation)
            #expect(try Value(written) == value, sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(error.message)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [
        ("198.51.100.0/24", "198.51.100.0/24"), ("192.0.2.1/32", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"),
        ("::/0", "::/0"), ("udp/5004", "udp/5004"), ("tcp/6000-6063", "tcp/6000-6063"), ("udp/7-7", "udp/7"),
        ("port/53", "port/53"), ("from:udp/11211", "from:udp/11211"), ("from:53", "from:port/53"),
        ("gre", "gre"),
        ("protocol/47", "gre"), ("protocol/253", "protocol/253"), ("icmp", "icmp"), ("igmp", "igmp"),
        ("tcp", "tcp"),
        ("udp", "udp"), ("esp", "esp"), ("ah", "ah"), ("icmp6", "icmp6"), ("ospf", "ospf"), ("sctp", "sctp"),
    ])
    func `subjects of entries are read and written`(text: String, written: String) {
        expect(FilterSubject.self, text, is: written)
    }

    /// After IANA's register "Assigned Internet Protocol Numbers".
    @Test func `protocols have their numbers`() throws {
        let numbers: [(String, UInt8)] = [
            ("icmp", 1), ("igmp", 2), ("tcp", 6), ("udp", 17), ("gre", 47), ("esp", 50), ("ah", 51),
            ("icmp6", 58),
            ("ospf", 89), ("sctp", 132), ("protocol/0", 0), ("protocol/255", 255),
        ]
        for (name, number) in numbers { #expect(try FilterSubject(name) == .ipProtocol(number)) }
    }

    @Test(arguments: [
        ("udp/5004", "udp/5004"), ("tcp/80-90", "tcp/80-90"), ("port/53", "port/53"), ("udp", "udp"),
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.1 udp/5004", "192.0.2.1 udp/5004"),
        ("2001:db8::1 tcp/22", "2001:db8::1 tcp/22"), ("2001:db8::/32 icmp6", "2001:db8::/32 icmp6"),
        ("2001:db8::/32 protocol/17", "2001:db8::/32 udp"),
        ("192.0.2.1/32 port/0-65535", "192.0.2.1 port/0-65535"),
    ])
    func `services are read and written`(text: String, written: String) {
        expect(FilterService.self, text, is: written)
    }

    @Test(
        arguments: [
            ("90s", 90_000, "1m30s"), ("10m", 600_000, "10m"), ("2h", 7_200_000, "2h"),
            ("1d", 86_400_000, "1d"),
            ("1h30m", 5_400_000, "1h30m"), ("250ms", 250, "250ms"), ("1ms", 1, "1ms"),
            ("365d", 31_536_000_000, "365d"),
            ("8760h", 31_536_000_000, "365d"), ("1d2h3m4s5ms", 93_784_005, "1d2h3m4s5ms"),
        ] as [(String, UInt64, String)])
    func `times are read and written`(text: String, milliseconds: UInt64, written: String) throws {
        expect(FilterDuration.self, text, is: written)
        #expect(try FilterDuration(text).nanoseconds == milliseconds * 1_000_000)
    }

    @Test func `more seconds than nanoseconds can be counted of are the longest time`() {
        let most = UInt64.max / 1_000_000_000
        #expect(FilterDuration.seconds(most).nanoseconds == most * 1_000_000_000)
        #expect(FilterDuration.seconds(most + 1).nanoseconds == .max)
        #expect(FilterDuration.seconds(.max).nanoseconds == .max)
    }

    @Test(
        arguments: [
            ("1000pps", 1000, "1kpps"), ("1.5Mpps", 1_500_000, "1.5Mpps"), ("10kpps", 10_000, "10kpps"),
            ("2/s", 2, "2pps"),
            ("30/m", 0.5, "0.5pps"), ("10/m", 10.0 / 60, "10/m"), ("1/min", 1.0 / 60, "1/m"),
            ("4/h", 4.0 / 3600, "4/h"), ("3.6/h", 0.001, "0.001pps"), ("86.4/d", 0.001, "0.001pps"),
            ("100/d", 100.0 / 86_400, "100/d"), ("1000/h", 1000.0 / 3600, "1000/h"),
            ("0.001pps", 0.001, "0.001pps"),
            ("1000Mpps", 1e9, "1000Mpps"), ("1234.567891kpps", 1_234_567.891, "1234567.891pps"),
            ("5 kpps", 5000, "5kpps"),
            ("1.001Mpps", 1_001_000, "1.001Mpps"),
        ] as [(String, Double, String)])
    func `rates of packets are read and written`(text: String, perSecond: Double, written: String) throws {
        expect(PacketRate.self, text, is: written)
        #expect(try PacketRate(text).perSecond == perSecond)
        #expect(try FilterRate(text) == .packets(PacketRate(perSecond: perSecond)))
    }

    @Test(arguments: [("/m", 60.0), ("/h", 3600), ("/d", 86_400)])
    func `so many in a longer time are written as what is read as the same`(unit: String, seconds: Double)
        throws
    {
        for count in 1...20_000 where Double(count) / seconds >= PacketRate.range.lowerBound {
            let rate = try PacketRate("\(count)\(unit)")
            #expect(rate.perSecond == Double(count) / seconds)
            #expect(
                try PacketRate("\(rate)") == rate && "\(rate)".utf8.count <= 12, "\(count)\(unit): \(rate)")
        }
    }

    @Test(arguments: [
        ("1/h", "the smallest is \"0.001pps\", which is \"3.6/h\""),
        ("86/d", "the smallest is \"0.001pps\", which is \"3.6/h\""),
        ("0.0001pps", "the smallest is \"0.001pps\", which is \"3.6/h\""),
        ("5/hour", "did you mean \"5/h\"?"), ("5/Min", "did you mean \"5/m\"?"),
        ("5pph", "did you mean \"5/h\"?"),
        ("5/sec", "did you mean \"5/s\"?"), ("5/day", "did you mean \"5/d\"?"),
        ("5/x", "packets are counted by \"/s\", \"/m\", \"/h\" or \"/d\""),
        ("5/ms", "packets are counted by \"/s\", \"/m\", \"/h\" or \"/d\""),
        ("5Mbit/h", "rates in that unit are for a second; leave the time out"),
    ])
    func `a hint is never another time than was meant`(text: String, hint: String) {
        do {
            _ = try FilterRate(text)
            Issue.record("\(text) is read")
        } catch {
            #expect(error.message.hasSuffix("found \"\(text)\"; \(hint)"), "\(error.message)")
        }
    }

    @Test(
        arguments: [
            ("50Mbit", 50e6, "50Mbit"), ("1Gbit", 1e9, "1Gbit"), ("64kbit", 64_000, "64kbit"),
            ("8bit", 8, "8bit"),
            ("50Mbit/s", 50e6, "50Mbit"), ("50Mbps", 50e6, "50Mbit"), ("9600 bps", 9600, "9.6kbit"),
            ("1000Gbit", 1e12, "1000Gbit"), ("2.5Gbit", 2.5e9, "2.5Gbit"),
            ("1234567bit", 1_234_567, "1234.567kbit"),
        ] as [(String, Double, String)])
    func `rates of bits are read and written`(text: String, perSecond: Double, written: String) throws {
        expect(BitRate.self, text, is: written)
        #expect(try BitRate(text).perSecond == perSecond)
        #expect(try FilterRate(text) == .bits(BitRate(perSecond: perSecond)))
    }

    @Test(arguments: [
        ("200", FilterBurst.packets(200), "200"), ("64KiB", .octets(65_536), "64KiB"),
        ("1MB", .octets(1_000_000), "1MB"),
        ("64kB", .octets(64_000), "64kB"), ("2 MiB", .octets(2 << 20), "2MiB"),
        ("1514 octets", .octets(1514), "1514 octets"),
        ("9000B", .octets(9000), "9kB"), ("1GB", .octets(1_000_000_000), "1GB"),
        ("1024GiB", .octets(1 << 40), "1024GiB"),
    ])
    func `bursts are read and written`(text: String, burst: FilterBurst, written: String) throws {
        expect(FilterBurst.self, text, is: written)
        #expect(try FilterBurst(text) == burst)
    }

    @Test func `what a rate can't be is said in its own words`() {
        func refusal<Value: ConfigurationText>(_ type: Value.Type, _ text: String) -> String? {
            do throws(ValueRefusal) {
                _ = try Value(text)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(
            refusal(BitRate.self, "5MB/s")
                == "expected a rate of bits from 8 bit to 1000 Gbit a second, such as \"64kbit\", \"50Mbit\" or \"1Gbit\", found \"5MB/s\"; rates are of packets or bits, and so many octets are \"40Mbit\""
        )
        #expect(
            refusal(PacketRate.self, "10")
                == "expected a rate of packets from 0.001 to 1000000000 a second, such as \"1000pps\", \"10kpps\" or \"30/m\", found \"10\"; of what? \"10pps\" or \"10bit\""
        )
        for (text, hint) in [
            ("1M", "of what? \"1Mpps\" or \"1Mbit\""), ("64K", "of what? \"64kpps\" or \"64kbit\""),
        ] {
            #expect(refusal(FilterRate.self, text)?.hasSuffix("found \"\(text)\"; \(hint)") == true)
        }
        #expect(
            refusal(FilterService.self, "192.0.2.1 udp/5004 x")
                == "expected a service, such as \"udp/5004\", \"192.0.2.0/24\" or \"192.0.2.1 tcp/80-90\", found \"192.0.2.1 udp/5004 x\""
        )
    }

    @Test(arguments: [
        ("192.0.2.4-192.0.2.9", "a range is written as prefixes: \"192.0.2.4/30\", \"192.0.2.8/31\""),
        ("0.0.0.0-255.255.255.255", "a range is written as prefixes: \"0.0.0.0/0\""),
        ("192.0.2.9-192.0.2.9", "a range is written as prefixes: \"192.0.2.9\""),
        ("10.0.0.1-10.255.255.254", "a range is written as prefixes"),
        ("192.0.2.1,", "one at a time, without a comma: \"192.0.2.1\""),
        ("192.0.2.1,192.0.2.2", "one at a time, without a comma: \"192.0.2.1\""),
        (
            "192.0.2.1 udp/53",
            "lists have no destinations; a limit has them, as its service \"192.0.2.1 udp/53\""
        ),
        ("tcp/http", "names of services are not looked up, so write the number"),
        ("udp:53", "did you mean \"udp/53\"?"), ("tcp=6000-6063", "did you mean \"tcp/6000-6063\"?"),
        ("53/udp", "did you mean \"udp/53\"?"), ("port 53", "did you mean \"port/53\"?"),
        ("from:udp:11211", "did you mean \"from:udp/11211\"?"),
        ("from:11211/udp", "did you mean \"from:udp/11211\"?"),
        ("any", "all addresses are \"0.0.0.0/0\" and \"::/0\""),
        ("from:udp/domain", "names of services are not looked up, so write the number"),
    ])
    func `what an entry can't be is refused with the way out`(text: String, hint: String) {
        do throws(ValueRefusal) {
            let subject = try FilterSubject(text)
            Issue.record("read as \(subject)")
        } catch {
            #expect(error.message.hasSuffix("; \(hint)"), "\(error.message)")
        }
    }

    @Test(
        arguments: [
            (3_598_724_110_057, "59m59s"), (3_599_000_000_001, "1h"), (1, "1s"), (1_000_000_000, "1s"),
            (0, "0s"),
            (UInt64.max, "213503d23h34m33s"),
        ] as [(UInt64, String)])
    func `what is left of a time is rounded up to whole seconds`(nanoseconds: UInt64, text: String) {
        let left = FilterDuration(nanoseconds: nanoseconds).roundedUp
        // What can't be counted is the longest there is.
        #expect("\(left)".hasPrefix(text) && left.roundedUp == left, "\(left)")
    }
}
