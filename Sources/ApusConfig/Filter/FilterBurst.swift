/// How much may come at once before a limit holds it to its rate: `200` packets, or octets such as `64KiB`.
public enum FilterBurst: Hashable, Sendable, ConfigurationText {
    /// So many packets.
    case packets(UInt64)
    /// So many octets of whole frames without their check sequence.
    case octets(UInt64)

    /// The most packets: 1,000,000,000.
    public static let packetRange: ClosedRange<UInt64> = 1...1_000_000_000
    /// The octets: from one full Ethernet frame, as no such frame would pass with fewer, to 1 TiB.
    public static let octetRange: ClosedRange<UInt64> = 1514...1 << 40

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as \"64KiB\""
    }

    /// The units of octets; those first that a text is written in.
    private static let units: [(name: String, octets: UInt64)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000),
        ("kB", 1000), (" octets", 1),
    ]

    /// Reads a number of packets, or of octets with its unit: `B`, `octets`, `kB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`.
    public init(_ text: String) throws(ValueRefusal) {
        func refusal(_ hint: String? = nil) -> ValueRefusal {
            ValueRefusal(expected: Self.expectation, text: text, hint: hint)
        }
        guard let measure = Measure(text) else { throw refusal() }
        guard let number = measure.whole else { throw refusal("write a whole number") }
        if measure.unit.isEmpty {
            guard Self.packetRange.contains(number) else { throw refusal() }
            self = .packets(number)
            return
        }
        let name = measure.unit == "B" || measure.unit == "octets" ? " octets" : String(measure.unit)
        guard let unit = Self.units.first(where: { $0.name == name }) else {
            if ["packets", "packet", "pkt", "p"].contains(name) {
                throw refusal("packets have no unit: \(number)")
            }
            let names = Self.units.dropLast().map(\.name)
            let same =
                names.first { $0.lowercased() == name.lowercased() } ?? nearestName(to: name, among: names)
            throw refusal(
                same.map { "did you mean \"\(number)\($0)\"?" } ?? "the units are octets, kB, KiB, MB and MiB"
            )
        }
        let (octets, overflow) = number.multipliedReportingOverflow(by: unit.octets)
        guard !overflow, Self.octetRange.contains(octets) else { throw refusal() }
        self = .octets(octets)
    }

    /// Reads a number of packets, or a text.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> FilterBurst {
        switch value.kind {
        case .string(let text): return try FilterBurst(text)
        case .integer(let number):
            if let packets = UInt64(exactly: number), packetRange.contains(packets) {
                return .packets(packets)
            }
        default: break
        }
        throw ValueRefusal(expected: expectation, found: value)
    }

    /// As it is read.
    public var description: String {
        switch self {
        case .packets(let packets): return "\(packets)"
        case .octets(let octets):
            let unit = Self.units.first { octets >= $0.octets && octets % $0.octets == 0 } ?? (" octets", 1)
            return "\(octets / unit.octets)\(unit.name)"
        }
    }
}
