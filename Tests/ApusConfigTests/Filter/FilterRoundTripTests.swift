import ApusConfig
import ApusWire
import Seeds
import Testing

/// Rules by chance, all of them valid.
private struct RandomRules {
    private var random: Seeded

    init(_ seed: UInt64) { random = Seeded(seed) }

    private mutating func number<Number: FixedWidthInteger>(_ range: ClosedRange<Number>) -> Number {
        .random(in: range, using: &random)
    }

    private mutating func chance(_ n: Int = 2) -> Bool { number(1...n) == 1 }

    private mutating func prefix() -> AddressPrefix {
        if chance() {
            return AddressPrefix(.v4(IPv4Address(bits: random.next())), length: number(0...32)).network
        }
        // The first half is never that of an IPv4-mapped address.
        let address = IPv6Address(high: random.next() | 1 << 61, low: random.next())
        return AddressPrefix(.v6(address), length: number(0...128)).network
    }

    private mutating func ports() -> ClosedRange<UInt16> {
        let ends = [number(0...UInt16.max), chance() ? number(0...UInt16.max) : 22]
        return ends.min()!...ends.max()!
    }

    private mutating func duration() -> FilterDuration {
        let range = FilterDuration.range
        let span = number(range.lowerBound.nanoseconds...range.upperBound.nanoseconds)
        // From whole days down to single nanoseconds.
        let unit: UInt64 = [86_400_000_000_000, 60_000_000_000, 1_000_000, 1].randomElement(using: &random)!
        return FilterDuration(nanoseconds: max(span / unit * unit, range.lowerBound.nanoseconds))
    }

    private mutating func service() -> FilterService {
        var service = FilterService(destination: chance() ? prefix() : nil)
        switch number(0...3) {
        case 0: service.ipProtocol = number(0...255)
        case 1: (service.ipProtocol, service.ports) = (chance() ? 6 : 17, ports())
        case 2: service.ports = ports()
        default: if service.isAny { service.ipProtocol = 1 }
        }
        return service
    }

    private mutating func rate(_ range: ClosedRange<Double>) -> Double {
        // As likely to be small as to be large, and as likely to be round as not.
        var value = Double.random(in: range.lowerBound...1000, using: &random)
        for _ in 0..<number(0...9) where value * 10 <= range.upperBound { value *= 10 }
        return chance() && value >= 8 ? value.rounded(.down) : value
    }

    private mutating func limit(_ index: Int) -> FilterLimit {
        let names = ["a \"b\" \\ \(index)", "Ränder 流 \(index)", "\u{2028} \(index)", "it's \(index)"]
        let scopes: [FilterLimit.Scope] = [
            .source, .prefix, .prefix(ipv4: number(0...32), ipv6: number(0...128)), .sourcePort, .all,
        ]
        var limit = FilterLimit(
            name: chance() ? names.randomElement(using: &random)! : nil,
            scope: scopes.randomElement(using: &random)!, service: chance(4) ? nil : service())
        let kinds = number(1...3)
        if kinds & 1 != 0 { limit.packets = PacketRate(perSecond: rate(PacketRate.range)) }
        if kinds & 2 != 0 { limit.bits = BitRate(perSecond: rate(BitRate.range)) }
        if let packets = limit.packets, packets.perSecond >= 1, chance() {
            limit.packetBurst = number(1...86_400)
        }
        if let bits = limit.bits, bits.perSecond >= 1000, chance() {
            limit.octetBurst = number(1514...10_000_000) & ~(chance() ? 1023 : 0)
            limit.octetBurst = max(1514, limit.octetBurst!)
        }
        if limit.scope == .source, chance() {
            limit.ban = .init(over: Double.random(in: 1.01...1000, using: &random), for: duration())
        }
        return limit
    }

    mutating func next() -> FilterRules {
        var rules = FilterRules()
        rules.policy = chance() ? .allow : .deny
        rules.isDryRun = chance()
        rules.malformed = chance() ? .allow : .deny
        rules.fragments = FragmentPolicy.allCases.randomElement(using: &random)!
        rules.notIP = chance() ? .allow : .deny
        rules.limitsNeighbors = chance()
        if chance() { rules.sourceCapacity = number(1024...16_777_216) }
        if chance() { rules.banCapacity = number(1...1_000_000) }
        if chance() {
            rules.management = (0..<number(0...16)).map { _ in
                // Of either family, but not of both.
                var service = service()
                let sources = (0..<number(0...3)).map { _ in prefix() }
                if !sources.isEmpty {
                    (service.destination, service.ipProtocol) = (nil, service.ipProtocol ?? 6)
                }
                if let number = service.ipProtocol, Transport(ipProtocol: number) == nil {
                    service.ports = nil
                }
                return ManagementService(service, from: sources)
            }
        }
        var seen: Set<FilterSubject> = []
        for _ in 0..<number(0...40) {
            let verdict: FilterPolicy = chance() ? .allow : .deny
            let subject = subject()
            guard seen.insert(subject).inserted else { continue }
            var entry = FilterEntry(subject, verdict, lifetime: chance(3) ? duration() : nil)
            if case .source = subject, verdict == .allow { entry.isLimited = chance(4) }
            rules.entries.append(entry)
        }
        for index in 0..<number(0...FilterRules.mostLimits) {
            let limit = limit(index)
            // Two may be for the same packets, and by their names they are apart.
            if rules.limits.allSatisfy({ $0.name != limit.name }) { rules.limits.append(limit) }
        }
        return rules
    }

    private mutating func subject() -> FilterSubject {
        switch number(0...3) {
        case 0: return .ipProtocol(number(0...255))
        case 1:
            // Blocks of ports of which none crosses another.
            let size = UInt32(1) << number(0...16)
            let first = number(UInt32(0)...65_535) / size * size
            let transports: [Transport?] = [.tcp, .udp, nil]
            let range = PortRange(
                transports.randomElement(using: &random)!, UInt16(first), through: UInt16(first + size - 1))
            return chance() ? .port(range) : .sourcePort(range)
        default: return .source(prefix())
        }
    }
}

@Suite struct FilterRoundTripTests {
    @Test func `500 rules by chance are read from their own text as they were`() throws {
        var entries = 0
        var limits = 0
        for seed in UInt64(0)..<500 {
            var generator = RandomRules(seed)
            var rules = generator.next()
            try rules.validate()
            let text = rules.text
            let read = try filter(text)
            // The text has what is allowed before what is denied.
            rules.entries =
                rules.entries.filter { $0.verdict == .allow } + rules.entries.filter { $0.verdict == .deny }
            #expect(read == rules, "seed \(seed): \(text)")
            #expect(read.text == text, "seed \(seed)")
            entries += rules.entries.count
            limits += rules.limits.count
        }
        // The generator made what it should have made.
        #expect(entries > 5000 && limits > 2500)
    }

    @Test func `each setting is a part of the text`() throws {
        // What the text left out would be read as its default.
        let complete = try filter(completeFilter)
        let changes: [(inout FilterRules) -> Void] = [
            { $0.policy = .allow }, { $0.isDryRun = false }, { $0.malformed = .deny },
            { $0.fragments = .limit },
            { $0.notIP = .allow }, { $0.limitsNeighbors = false }, { $0.sourceCapacity += 1 },
            { $0.banCapacity += 1 },
            { $0.management.removeLast() }, { $0.management[1].sources.removeLast() },
            { $0.entries.removeLast() },
            { $0.entries[1].isLimited = false }, { $0.entries[6].lifetime = nil }, { $0.limits.removeLast() },
            { $0.limits[0].name = "x" }, { $0.limits[0].packets = PacketRate(perSecond: 1001) },
            { $0.limits[0].bits = BitRate(perSecond: 1e7 + 1) }, { $0.limits[0].packetBurst = nil },
            { $0.limits[0].octetBurst = 65_537 }, { $0.limits[0].ban?.factor = 10.1 },
            { $0.limits[0].ban = nil },
        ]
        for change in changes {
            var rules = complete
            change(&rules)
            #expect(rules != complete)
            #expect(try filter(rules.text) == rules)
        }
    }

    /// The bound is generous: what it refuses is time that grows with the square.
    @Test func `100,000 prefixes are read in seconds`() throws {
        var rules = FilterRules()
        rules.entries = (0..<100_000).map { index in
            let bits = UInt32(index) &* 2_654_435_761
            return index % 4 == 0
                ? FilterEntry(
                    .source(
                        AddressPrefix(
                            .v6(IPv6Address(high: 0x2001_0db8 << 32 | UInt64(bits), low: 0)), length: 64)),
                    .deny)
                : FilterEntry(.source(AddressPrefix(.v4(IPv4Address(bits: bits)), length: 32)), .deny)
        }
        let text = rules.text
        let start = ContinuousClock.now
        let read = try filter(text)
        let time = ContinuousClock.now - start
        print("100,000 prefixes were read in \(time)")
        #expect(read == rules)
        #expect(time < .seconds(30))
    }
}
