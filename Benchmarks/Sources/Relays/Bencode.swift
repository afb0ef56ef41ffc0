/// A value of bencode (BEP 3), which rtpengine's control protocol is written in. Strings are octets there; here
/// they are text, as rtpengine's are.
package enum Bencode: Equatable, Sendable {
    case integer(Int)
    case string(String)
    case list([Bencode])
    case dictionary([String: Bencode])

    /// Why octets are no bencode, and where.
    package struct Malformed: Error, Equatable, CustomStringConvertible {
        let reason: String
        let offset: Int
        package var description: String { "no bencode: \(reason) at octet \(offset)" }
    }

    /// How deep lists and dictionaries may lie in each other.
    package static var deepest: Int { 16 }

    /// Its octets, the keys of dictionaries in order.
    package var encoded: [UInt8] {
        switch self {
        case .integer(let value): Array("i\(value)e".utf8)
        case .string(let text): Array("\(text.utf8.count):".utf8) + text.utf8
        case .list(let values): [UInt8(ascii: "l")] + values.flatMap(\.encoded) + [UInt8(ascii: "e")]
        case .dictionary(let values):
            [UInt8(ascii: "d")]
                + values.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
                .flatMap { Bencode.string($0).encoded + $1.encoded } + [UInt8(ascii: "e")]
        }
    }

    /// Reads one value that is all of the octets; lists may not lie deeper than ``deepest``.
    package init(decoding bytes: some Sequence<UInt8>) throws(Malformed) {
        var reader = Reader(bytes: Array(bytes))
        self = try reader.value(depth: 0)
        guard reader.offset == reader.bytes.count else { throw reader.wrong("something follows") }
    }

    /// The value of a key; `nil` if there is none, or this is no dictionary.
    package subscript(_ key: String) -> Bencode? {
        guard case .dictionary(let values) = self else { return nil }
        return values[key]
    }

    /// Its text, if it is a string.
    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}

/// Goes through the octets once. Whatever they claim, nothing is taken that is not there.
private struct Reader {
    let bytes: [UInt8]
    var offset = 0

    func wrong(_ reason: String) -> Bencode.Malformed { Bencode.Malformed(reason: reason, offset: offset) }

    mutating func value(depth: Int) throws(Bencode.Malformed) -> Bencode {
        guard depth <= Bencode.deepest else { throw wrong("too deep") }
        guard offset < bytes.count else { throw wrong("it ends early") }
        switch bytes[offset] {
        case UInt8(ascii: "i"):
            offset += 1
            return .integer(try number(until: UInt8(ascii: "e")))
        case UInt8(ascii: "l"):
            offset += 1
            var values: [Bencode] = []
            while try more() { values.append(try value(depth: depth + 1)) }
            return .list(values)
        case UInt8(ascii: "d"):
            offset += 1
            var values: [String: Bencode] = [:]
            while try more() {
                let key = try string()
                guard values[key] == nil else { throw wrong("the key \(key) twice") }
                values[key] = try value(depth: depth + 1)
            }
            return .dictionary(values)
        default: return .string(try string())
        }
    }

    /// Whether another element follows; steps over the end if none does.
    private mutating func more() throws(Bencode.Malformed) -> Bool {
        guard offset < bytes.count else { throw wrong("it ends early") }
        guard bytes[offset] == UInt8(ascii: "e") else { return true }
        offset += 1
        return false
    }

    private mutating func string() throws(Bencode.Malformed) -> String {
        let count = try number(until: UInt8(ascii: ":"))
        guard count >= 0, count <= bytes.count - offset else { throw wrong("a string of \(count) octets") }
        defer { offset += count }
        return String(decoding: bytes[offset..<offset + count], as: UTF8.self)
    }

    /// Digits with or without a sign in front, and the octet behind them.
    private mutating func number(until end: UInt8) throws(Bencode.Malformed) -> Int {
        guard let stop = bytes[offset...].prefix(21).firstIndex(of: end),
            let value = Int(String(decoding: bytes[offset..<stop], as: UTF8.self))
        else { throw wrong("no number") }
        offset = stop + 1
        return value
    }
}
