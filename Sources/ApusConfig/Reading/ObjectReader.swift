/// Takes an object apart key by key, and afterwards reports the keys that nobody asked for.
///
/// A wrong or missing value is reported and read as nil, and reading goes on, so that one run finds all errors.
struct ObjectReader {
    private let members: [JSON5Member]
    /// Where the errors go.
    let report: ConfigurationReport
    /// Where the values were written.
    private(set) var map: SourceMap
    private var known: [String] = []

    /// Reads `value` as an object with `body`, then reports unknown keys. Nil if it is no object.
    static func read<Result>(
        _ value: JSON5Value, report: ConfigurationReport, expected: String,
        _ body: (inout ObjectReader) -> Result
    ) -> Result? {
        guard case .object(let members) = value.kind else {
            report.add(ValueRefusal(expected: expected, found: value).message, at: .text(value.position))
            return nil
        }
        var reader = ObjectReader(members: members, report: report, map: SourceMap(.text(value.position)))
        let result = body(&reader)
        reader.reportUnknownKeys()
        return result
    }

    private init(members: [JSON5Member], report: ConfigurationReport, map: SourceMap) {
        (self.members, self.report, self.map) = (members, report, map)
    }

    // MARK: One value

    /// The value under `key` as it was written.
    mutating func value(_ key: String) -> JSON5Value? {
        if !known.contains(key) { known.append(key) }
        guard let value = members.first(where: { $0.key == key })?.value else { return nil }
        map[key] = .text(value.position)
        return value
    }

    /// Reads the value under `key`; an error if it is missing.
    mutating func required<Value: ConfigurationValue>(_ key: String, as type: Value.Type) -> Value? {
        guard let value = value(key) else {
            report.add("\"\(key)\" is missing: expected \(Value.expectation)", at: map.whole)
            return nil
        }
        return read(value)
    }

    /// Reads the value under `key`; nil if it is missing.
    mutating func optional<Value: ConfigurationValue>(_ key: String, as type: Value.Type) -> Value? {
        value(key).flatMap { read($0) }
    }

    /// Reads the value under `key` into `target`, which keeps what it has if the key is missing.
    mutating func read<Value: ConfigurationValue>(_ key: String, into target: inout Value) {
        if let value = optional(key, as: Value.self) { target = value }
    }

    /// Reads the value under `key` into `target`, which keeps what it has if the key is missing.
    mutating func read<Value: ConfigurationValue>(_ key: String, into target: inout Value?) {
        if let value = optional(key, as: Value.self) { target = value }
    }

    private func read<Value: ConfigurationValue>(_ value: JSON5Value) -> Value? {
        do {
            return try Value.read(value)
        } catch {
            report.add(error.message, at: .text(value.position))
            return nil
        }
    }

    // MARK: Objects and arrays

    /// Reads the object under `key` with `body`; nil if it is missing.
    mutating func object<Result>(
        _ key: String, _ body: (inout ObjectReader) -> Result
    ) -> Result? {
        guard let value = value(key) else { return nil }
        return Self.read(value, report: report, expected: "an object", body)
    }

    /// Reads the array under `key`; nil if it is missing or no array. Elements that cannot be read are left out;
    /// nil if that leaves none.
    mutating func array<Value: ConfigurationValue>(_ key: String, of type: Value.Type) -> [Value]? {
        guard let elements = elements(key, expected: "an array of \(Value.expectation)") else { return nil }
        var result: [Value] = []
        var locations: [ConfigurationLocation] = []
        result.reserveCapacity(elements.count)
        locations.reserveCapacity(elements.count)
        for element in elements {
            guard let value: Value = read(element) else { continue }
            result.append(value)
            locations.append(.text(element.position))
        }
        map.setElements(of: key, locations)
        return result.isEmpty && !elements.isEmpty ? nil : result
    }

    /// Reads the value under `key`, or the array of them; nil if it is missing or can't be read.
    mutating func oneOrMore<Value: ConfigurationValue>(_ key: String, of type: Value.Type) -> [Value]? {
        if case .array? = value(key)?.kind { return array(key, of: type) }
        return optional(key, as: type).map { [$0] }
    }

    /// Reads each object of the array under `key` with `body`; nil if it is missing or no array. What `body` or
    /// the reading refused is left out.
    mutating func objects<Result>(
        _ key: String, _ body: (inout ObjectReader) -> Result?
    ) -> [Result]? {
        guard let elements = elements(key, expected: "an array of objects") else { return nil }
        var result: [Result] = []
        result.reserveCapacity(elements.count)
        for element in elements {
            if let value = Self.read(element, report: report, expected: "an object", body) ?? nil {
                result.append(value)
            }
        }
        return result
    }

    /// Reads each element of the array under `key` with `body`, which says itself what is wrong; nil if it is missing or
    /// no array. What `body` refused is left out.
    mutating func list<Result>(
        _ key: String, expected: String, _ body: (JSON5Value) -> Result?
    ) -> [Result]? {
        elements(key, expected: expected)?.compactMap(body)
    }

    private mutating func elements(_ key: String, expected: String) -> [JSON5Value]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value.kind else {
            report.add(ValueRefusal(expected: expected, found: value).message, at: .text(value.position))
            return nil
        }
        return elements
    }

    // MARK: Unknown keys

    private func reportUnknownKeys() {
        let names = Set(known)
        for member in members where !names.contains(member.key) {
            report.add(
                "unknown key \(member.key.quoted); \(hint(for: member.key))", at: .text(member.position))
        }
    }

    private func hint(for key: String) -> String {
        nearestName(to: key, among: known).map { "did you mean \"\($0)\"?" }
            ?? "known here: \(known.joined(separator: ", "))"
    }
}
