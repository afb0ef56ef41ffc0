/// One thing that is wrong with a configuration: what, where, and what was meant.
///
/// Its description is fit to be shown to the user:
///
/// ```
/// forward.json5:7:15: expected "address:port", such as "192.0.2.1:5004", found "192.0.2.1"
///   7 |     { listen: "192.0.2.1" },
///     |               ^
/// ```
public struct ConfigurationError: Error, Hashable, Sendable {
    /// What is wrong and how it would be right, in one sentence without a full stop.
    public let message: String
    /// Where it was written.
    public let location: ConfigurationLocation
    /// The name of the file, if it was written in one.
    public let file: String?
    /// Another place that has a part in it.
    public let notes: [Note]
    private let excerpt: String?

    /// Another place that has a part in an error, such as the first of two equal names.
    public struct Note: Hashable, Sendable {
        /// What is to be seen there.
        public var message: String
        /// Where it was written.
        public var location: ConfigurationLocation

        /// Joins a remark and its place.
        public init(_ message: String, at location: ConfigurationLocation) {
            (self.message, self.location) = (message, location)
        }
    }

    /// Makes an error; `source` is the text in which the location is a place.
    public init(
        _ message: String, at location: ConfigurationLocation, in source: ConfigurationSource?,
        notes: [Note] = []
    ) {
        self.message = message
        self.location = location
        self.notes = notes
        if let position = location.position, let source {
            file = source.name
            excerpt = source.excerpt(at: position)
        } else {
            file = nil
            excerpt = nil
        }
    }

    /// The line, from 1, if the error has a place in a file.
    public var line: Int? { location.position?.line }
    /// The column, from 1, in Unicode scalars, if the error has a place in a file.
    public var column: Int? { location.position?.column }
}

extension ConfigurationError: CustomStringConvertible {
    /// `file:line:column: message`, the line with a caret beneath, and the notes.
    public var description: String {
        var lines = [prefix(location) + message]
        if let excerpt { lines.append(excerpt) }
        lines += notes.filter { $0.location != .unknown }.map { "\(prefix($0.location))\($0.message)" }
        return lines.joined(separator: "\n")
    }

    private func prefix(_ location: ConfigurationLocation) -> String {
        switch location {
        case .unknown: ""
        case .text(let position): "\(file ?? "configuration"):\(position): "
        case .option(let name): "\(name): "
        }
    }
}

/// All that is wrong with a configuration, in the order of the text.
public struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    /// The errors; never empty, and never more than ``ConfigurationReport/limit``.
    public let errors: [ConfigurationError]
    /// How many more there were.
    public let omitted: Int

    /// The one thing that is wrong.
    public init(_ error: ConfigurationError) { self.init([error]) }

    init(_ errors: [ConfigurationError], omitted: Int = 0) { (self.errors, self.omitted) = (errors, omitted) }

    /// Each error's description, one beneath the other.
    public var description: String {
        let shown = errors.map(\.description).joined(separator: "\n")
        return omitted == 0 ? shown : "\(shown)\n… and \(omitted) more"
    }
}
