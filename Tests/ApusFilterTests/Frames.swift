import Seeds

/// Frames of every shape, by seed: tags, options, extension headers, fragments, cut short and spoiled; of few addresses
/// and ports, so that rules have to do with them.
struct Frames {
    private var random: Seeded

    init(_ random: Seeded) { self.random = random }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    private mutating func octets(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &random) }
    }
    private mutating func oneOf<Value>(_ values: [Value]) -> Value { values.randomElement(using: &random)! }
    private static func word(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

    static let ipv4: [[UInt8]] = [
        [198, 51, 100, 7], [198, 51, 100, 8], [203, 0, 113, 1], [192, 0, 2, 9], [10, 1, 2, 3],
    ]
    static let ipv6: [[UInt8]] = (1...5).map { host in
        [0x20, 0x01, 0x0d, 0xb8, 0, host < 3 ? 0 : 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(host)]
    }
    static let ports = [22, 53, 5004, 5005, 443, 11211]

    /// The next frame, 14 octets at least.
    mutating func next() -> [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9]
        for _ in 0..<oneOf([0, 0, 0, 1, 1, 2, 3]) { frame += oneOf([[0x81, 0], [0x88, 0xa8]]) + octets(2) }
        switch number(0...19) {
        case 0:
            let addresses = octets(6) + oneOf(Self.ipv4) + octets(6) + oneOf(Self.ipv4)
            frame += [0x08, 0x06] + oneOf([octets(28), [0, 1, 8, 0, 6, 4, 0, 1] + addresses])
        case 1: frame += oneOf([[0x88, 0xcc], [0x88, 0x47], [0x88, 0x64], [0x00, 0x26]]) + octets(40)
        case 2: frame += oneOf([[0x08, 0], [0x86, 0xdd]]) + octets(number(0...80))
        case 3...11: frame += [0x08, 0] + ipv4()
        default: frame += [0x86, 0xdd] + ipv6()
        }
        switch number(0...15) {
        case 0: frame = Array(frame.prefix(number(14...max(14, frame.count))))
        case 1: frame[number(12...frame.count - 1)] = octets(1)[0]
        case 2: frame += octets(number(1...40))
        default: break
        }
        return frame
    }

    private mutating func upper(_ ipProtocol: Int) -> [UInt8] {
        let ports = Self.word(oneOf(Self.ports)) + Self.word(oneOf(Self.ports))
        let payload = octets(oneOf([0, 1, 20, 160, 1200]))
        switch ipProtocol {
        case 17: return ports + Self.word(8 + payload.count) + octets(2) + payload
        case 6: return ports + octets(8) + [UInt8(oneOf([5, 5, 5, 6, 4]) << 4), 0x10] + octets(6) + payload
        case 58:
            let type = oneOf([128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 143, 1])
            return [UInt8(type), UInt8(oneOf([0, 0, 0, 9]))] + octets(6) + payload
        default: return octets(4) + payload
        }
    }

    private mutating func ipv4() -> [UInt8] {
        let ipProtocol = oneOf([17, 17, 17, 6, 6, 1, 47, 132])
        let body = upper(ipProtocol)
        let words = oneOf([0, 0, 0, 1, 5, 10])
        let flags = oneOf([0, 0, 0, 0, 0x4000, 0x2000, 0x2000 + 100, 185])
        return [0x40 | UInt8(5 + words), 0] + Self.word(20 + words * 4 + body.count) + octets(2)
            + Self.word(flags)
            + [64, UInt8(ipProtocol)] + octets(2) + oneOf(Self.ipv4) + oneOf(Self.ipv4) + octets(words * 4)
            + body
    }

    private mutating func ipv6() -> [UInt8] {
        let ipProtocol = oneOf([17, 17, 17, 6, 6, 58, 58, 47])
        var (next, body) = (UInt8(ipProtocol), upper(ipProtocol))
        for _ in 0..<oneOf([0, 0, 0, 0, 1, 2, 3, 8, 9]) {
            switch oneOf([0, 43, 60, 44, 51]) {
            case 44:
                let offset = oneOf([0, 0, 1, 8 * 50, 8 * 50 + 1])
                body = [next, 0] + Self.word(offset) + octets(4) + body
                next = 44
            case 51:
                body = [next, 4] + octets(22) + body
                next = 51
            case let other:
                let more = oneOf([0, 0, 1, 3])
                body = [next, UInt8(more)] + octets(6 + 8 * more) + body
                next = UInt8(other)
            }
        }
        let hops = oneOf([UInt8(64), 255, 1])
        var source = oneOf(Self.ipv6)
        if number(0...3) == 0 { source = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9] }
        if number(0...30) == 0 { source = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] + oneOf(Self.ipv4) }
        return [0x60, 0, 0, 0] + Self.word(body.count) + [next, hops] + source + oneOf(Self.ipv6) + body
    }
}
