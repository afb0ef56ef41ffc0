import Apus

/// What a frame is, as far as people want to know: where it comes from and goes. It decides nothing.
///
/// It looks for itself, as the views of packets refuse what a host refuses: source routes, options that it does not know, a
/// capture's packets that were cut. The filter judges those like all others, so it is to be told whose they are.
struct FrameFacts {
    private(set) var source: IPAddress?
    private(set) var destination: IPAddress?
    private(set) var ipProtocol: UInt8?
    private(set) var sourcePort: UInt16?
    private(set) var destinationPort: UInt16?
    private var etherType: UInt16 = 0

    /// Looks as far as the frame goes: up to two VLAN tags, IP, extension headers that say how long they are, and ports.
    init(_ frame: [UInt8]) {
        func number(_ offset: Int) -> UInt16 {
            offset + 1 < frame.count ? UInt16(frame[offset]) << 8 | UInt16(frame[offset + 1]) : 0
        }
        func bits<Number: FixedWidthInteger>(_ offset: Int, _ type: Number.Type) -> Number {
            (0..<Number.bitWidth / 8).reduce(0) { $0 << 8 | Number(frame[offset + $1]) }
        }
        var offset = 12
        etherType = number(offset)
        for _ in 0..<2 where etherType == 0x8100 || etherType == 0x88a8 {
            offset += 4
            etherType = number(offset)
        }
        offset += 2
        var isFirst = true
        if etherType == 0x0800, frame.count >= offset + 20 {
            (source, destination) = (
                .v4(IPv4Address(bits: bits(offset + 12, UInt32.self))),
                .v4(IPv4Address(bits: bits(offset + 16, UInt32.self)))
            )
            ipProtocol = frame[offset + 9]
            isFirst = number(offset + 6) & 0x1fff == 0
            offset += Int(frame[offset] & 15) * 4
        } else if etherType == 0x86dd, frame.count >= offset + 40 {
            func address(_ place: Int) -> IPAddress {
                .v6(IPv6Address(high: bits(place, UInt64.self), low: bits(place + 8, UInt64.self)))
            }
            (source, destination) = (address(offset + 8), address(offset + 24))
            var next = frame[offset + 6]
            offset += 40
            // Hop-by-hop options, routing, fragment, destination options (RFC 8200 section 4).
            while [0, 43, 44, 60].contains(next), frame.count >= offset + 8 {
                if next == 44 { isFirst = isFirst && number(offset + 2) & 0xfff8 == 0 }
                let length = next == 44 ? 8 : (Int(frame[offset + 1]) + 1) * 8
                next = frame[offset]
                offset += length
            }
            ipProtocol = next
        }
        if isFirst, ipProtocol == 6 || ipProtocol == 17, frame.count >= offset + 4 {
            (sourcePort, destinationPort) = (number(offset), number(offset + 2))
        }
    }

    /// `192.0.2.1:4000 > 192.0.2.2:5004 udp`.
    var text: String {
        guard let source, let destination, let ipProtocol else {
            let digits = String(etherType, radix: 16)
            return etherType == 0x0806
                ? "ARP" : "Ethernet type 0x\(String(repeating: "0", count: 4 - digits.count))\(digits)"
        }
        let name = "\(FilterSubject.ipProtocol(ipProtocol))"
        guard let sourcePort, let destinationPort else { return "\(source) > \(destination) \(name)" }
        return
            "\(Endpoint(source, port: sourcePort)) > \(Endpoint(destination, port: destinationPort)) \(name)"
    }
}

/// Finds the rule that decided about a packet, for people: by the same order as the program, from what the rules say.
struct RuleFinder {
    private let rules: FilterRules
    private let prefixes: [AddressPrefix: FilterEntry]
    /// The lengths there are, longest first.
    private let lengths: [Int]

    init(_ rules: FilterRules) {
        self.rules = rules
        var prefixes: [AddressPrefix: FilterEntry] = [:]
        for entry in rules.entries {
            if case .source(let prefix) = entry.subject { prefixes[prefix] = entry }
        }
        self.prefixes = prefixes
        lengths = Set(prefixes.keys.map(\.length)).sorted(by: >)
    }

    /// The entry as rules write it, or the name of the limit; nil where neither decided.
    func rule(for verdict: FilterVerdict, _ facts: FrameFacts) -> String? {
        switch verdict {
        case .limit(let index): return rules.limits[index].name
        case .reason(.deniedSource), .reason(.allowedSource):
            guard let source = facts.source else { return nil }
            for length in lengths where length <= source.bitCount {
                let prefix = AddressPrefix(source, length: length).network
                if let entry = prefixes[prefix] { return "\(entry.subject)" }
            }
            return nil
        case .reason(.deniedPort):
            return ports(facts.destinationPort, facts) { subject in
                if case .port(let range) = subject { range } else { nil }
            }
        case .reason(.deniedSourcePort):
            return ports(facts.sourcePort, facts) { subject in
                if case .sourcePort(let range) = subject { range } else { nil }
            }
        case .reason(.deniedProtocol): return facts.ipProtocol.map { "\(FilterSubject.ipProtocol($0))" }
        case .reason: return nil
        }
    }

    private func ports(
        _ port: UInt16?, _ facts: FrameFacts, _ range: (FilterSubject) -> PortRange?
    ) -> String? {
        guard let port else { return nil }
        // The last that has it decides.
        return rules.portsWidestFirst.last { entry in
            guard let range = range(entry.subject), range.first <= port, port <= range.last else {
                return false
            }
            return range.transport == nil || range.transport?.ipProtocol == facts.ipProtocol
        }.map { "\($0.subject)" }
    }
}
