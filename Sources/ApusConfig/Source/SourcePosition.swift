/// A place in a text: both numbers begin with 1.
///
/// A line ends with LF, CR LF or CR. A column counts Unicode scalars, so that a letter that takes
/// three bytes is one column.
public struct SourcePosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The line, from 1.
    public var line: Int
    /// The column, from 1.
    public var column: Int

    /// Names a place in a text.
    public init(line: Int, column: Int) { (self.line, self.column) = (line, column) }

    /// Whether `left` comes earlier in the text.
    public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }

    /// `7:15`.
    public var description: String { "\(line):\(column)" }
}

/// Where a setting was written, so that whoever refuses it later can point at it.
public enum ConfigurationLocation: Hashable, Sendable {
    /// Nowhere: it was made in code.
    case unknown
    /// At a place of the configuration's text.
    case text(SourcePosition)
    /// As an option of the command line, such as `--listen`.
    case option(String)

    /// The place in the text, if it was written in one.
    public var position: SourcePosition? {
        if case .text(let position) = self { position } else { nil }
    }
}

/// Where the parts of one section of a configuration were written, by key.
///
/// Two maps are always equal: where something was written is no part of what it says, and a stream that
/// only moved to another line has not changed.
public struct SourceMap: Hashable, Sendable {
    /// Where the section itself begins.
    public var whole: ConfigurationLocation

    private var keys: [(key: String, location: ConfigurationLocation)] = []
    private var elements: [(key: String, locations: [ConfigurationLocation])] = []

    /// A map of a section that begins at `whole`, and nothing more yet.
    public init(_ whole: ConfigurationLocation = .unknown) { self.whole = whole }

    /// Where the value of `key` was written; where the section begins, when the key was left out.
    public subscript(key: String) -> ConfigurationLocation {
        get { keys.first { $0.key == key }?.location ?? whole }
        set {
            keys.removeAll { $0.key == key }
            keys.append((key, newValue))
        }
    }

    /// Where one element of the array under `key` was written; where the array begins, when that is not known.
    public subscript(key: String, index: Int) -> ConfigurationLocation {
        guard let locations = elements.first(where: { $0.key == key })?.locations,
            locations.indices.contains(index)
        else { return self[key] }
        return locations[index]
    }

    /// Says where the elements of the array under `key` were written.
    public mutating func setElements(of key: String, _ locations: [ConfigurationLocation]) {
        elements.removeAll { $0.key == key }
        elements.append((key, locations))
    }

    /// What a user calls `key`: the option where options gave the section, such as `--ring-size`, else the key in
    /// quotes.
    public func name(of key: String) -> String {
        if case .option(let name) = self[key] { name } else { "\"\(key)\"" }
    }

    /// How a user writes that `key` has a value: `--mode native` where options gave the section, else `mode: "native"`.
    func setting(_ key: String, _ value: String) -> String {
        if case .option(let name) = self[key] { "\(name) \(value)" } else { "\(key): \"\(value)\"" }
    }

    /// Always true; see above.
    public static func == (left: SourceMap, right: SourceMap) -> Bool { true }

    /// Adds nothing, as all maps are equal.
    public func hash(into hasher: inout Hasher) {}
}
