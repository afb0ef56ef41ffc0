/// Collects what is wrong with one configuration, so that a user mends it in one go and not error by error.
public final class ConfigurationReport {
    /// The most errors that are kept; more are only counted.
    public static let limit = 20

    /// The text the places are in, if the configuration was read from one.
    public let source: ConfigurationSource?
    private var errors: [ConfigurationError] = []
    private var omitted = 0

    /// An empty report about `source`.
    public init(on source: ConfigurationSource?) { self.source = source }

    /// Whether nothing was wrong so far.
    public var isEmpty: Bool { errors.isEmpty }

    /// Notes an error. The message is only made if it is kept.
    public func add(
        _ message: @autoclosure () -> String, at location: ConfigurationLocation,
        notes: [ConfigurationError.Note] = []
    ) {
        if errors.count < Self.limit {
            errors.append(ConfigurationError(message(), at: location, in: source, notes: notes))
        } else {
            omitted += 1
        }
    }

    /// Throws what was noted, in the order of the text, if anything was.
    public func check() throws(ConfigurationErrors) {
        guard !errors.isEmpty else { return }
        let beginning = SourcePosition(line: 0, column: 0)
        let ordered = errors.enumerated().sorted { left, right in
            let (l, r) = (
                left.element.location.position ?? beginning, right.element.location.position ?? beginning
            )
            return l == r ? left.offset < right.offset : l < r
        }
        throw ConfigurationErrors(ordered.map(\.element), omitted: omitted)
    }
}
