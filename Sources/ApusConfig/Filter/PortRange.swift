/// A transport protocol whose ports the filter looks at.
public enum Transport: String, ConfigurationWord, Hashable {
    /// TCP (RFC 9293).
    case tcp
    /// UDP (RFC 768).
    case udp

    /// Its number in an IP header.
    public var ipProtocol: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        }
    }

    /// The transport protocol of that number; nil for those whose ports are not looked at.
    public init?(ipProtocol: UInt8) {
        switch ipProtocol {
        case 6: self = .tcp
        case 17: self = .udp
        default: return nil
        }
    }
}

/// One port or a range of them: `udp/5004`, `tcp/6000-6063`, or `port/53` for both TCP and UDP.
public struct PortRange: Hashable, Sendable, ConfigurationText {
    /// Whose ports they are; nil means both TCP and UDP.
    public var transport: Transport?
    /// The first port.
    public var first: UInt16
    /// The last port, which is not below the first.
    public var last: UInt16

    /// The ports from `first` to `last`, or `first` alone.
    public init(_ transport: Transport?, _ first: UInt16, through last: UInt16? = nil) {
        (self.transport, self.first, self.last) = (transport, first, last ?? first)
    }

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a port or a range of ports, such as \"udp/5004\", \"tcp/6000-6063\" or \"port/53\""
    }

    /// Reads `udp/5004`, `tcp/6000-6063`, `port/53`, or `53` alone, which is `port/53`.
    public init(_ text: String) throws(ValueRefusal) {
        let slash = text.firstIndex(of: "/")
        let ports = slash.map { text[text.index(after: $0)...] } ?? text[...]
        let word = slash.map { String(text[..<$0]) } ?? "port"
        guard word == "port" || Transport(rawValue: word) != nil else {
            let hint = nearestName(to: word, among: ["tcp", "udp", "port"]).map {
                "did you mean \"\($0)/\(String(ports.unicodeScalars.prefix(20)).printable)\"?"
            }
            throw ValueRefusal(expected: Self.expectation, text: text, hint: hint)
        }
        switch Self.range(of: ports) {
        case .range(let range):
            self.init(Transport(rawValue: word), range.lowerBound, through: range.upperBound)
        case .wrong(let hint):
            let isName = slash != nil && ports.first?.isLetter == true
            let other = isName ? "names of services are not looked up, so write the number" : nil
            throw ValueRefusal(expected: Self.expectation, text: text, hint: hint ?? other)
        }
    }

    /// As it is read.
    public var description: String {
        "\(transport?.rawValue ?? "port")/\(Self.text(first...max(first, last)))"
    }

    /// What to say of ports that are written as elsewhere: `udp:53`, `udp=53`, `53/udp`.
    ///
    /// - Parameter prefix: what stands before them.
    static func hint(for text: String, behind prefix: String = "") -> String? {
        let parts = text.lowercased().split(omittingEmptySubsequences: false) { ":=/ ".contains($0) }
        guard parts.count == 2 else { return nil }
        for (word, ports) in [(parts[0], parts[1]), (parts[1], parts[0])] {
            guard word == "port" || Transport(rawValue: String(word)) != nil,
                case .range(let range) = range(of: ports)
            else { continue }
            return "did you mean \"\(prefix)\(word)/\(Self.text(range))\"?"
        }
        return nil
    }

    /// `5004` or `5004-5007`.
    static func text(_ ports: ClosedRange<UInt16>) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }

    /// What a text is that should be ports without their protocol.
    enum Reading {
        case range(ClosedRange<UInt16>)
        /// It is none, and perhaps there is something to say of it.
        case wrong(String?)
    }

    /// Reads `5004` or `5004-5007`.
    static func range(of text: Substring) -> Reading {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        var numbers: [UInt16] = []
        for end in ends {
            guard !end.isEmpty, end.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return .wrong(text.contains(",") ? "one port or range, and no list of them" : nil)
            }
            guard let number = UInt16(end) else { return .wrong("ports end at 65535") }
            numbers.append(number)
        }
        let (first, last) = (numbers[0], numbers[numbers.count - 1])
        guard first <= last else {
            return .wrong("a range begins with the lower port: \(last)-\(first)")
        }
        return .range(first...last)
    }
}

/// Ports without their protocol, as they stand in an object of a file: `"5004-5007"`, `"5004"` or `5004`.
struct ServicePorts: ConfigurationText {
    let range: ClosedRange<UInt16>

    static var expectation: String { "a port or a range of ports, such as 5004 or \"5004-5007\"" }

    init(_ text: String) throws(ValueRefusal) {
        switch PortRange.range(of: text[...]) {
        case .range(let range): self.range = range
        case .wrong(let hint):
            let isWhole = (try? PortRange(text)) != nil
            throw ValueRefusal(
                expected: Self.expectation, text: text,
                hint: isWhole ? "the protocol is given by \"protocol\"" : hint)
        }
    }

    private init(range: ClosedRange<UInt16>) { self.range = range }

    static func read(_ value: JSON5Value) throws(ValueRefusal) -> ServicePorts {
        switch value.kind {
        case .string(let text): return try ServicePorts(text)
        case .integer(let number):
            if let port = UInt16(exactly: number) { return ServicePorts(range: port...port) }
            throw ValueRefusal(expected: expectation, found: value, hint: "ports end at 65535")
        default: throw ValueRefusal(expected: expectation, found: value)
        }
    }

    var description: String { PortRange.text(range) }
}
