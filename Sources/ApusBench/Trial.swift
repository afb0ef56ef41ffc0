/// One step of a run: a comparison, or what finds several figures in one go, such as a bisection.
public struct Trial {
    /// Suite and subject, by slashes, as the findings' names begin: `forwarder/latency`.
    public let name: String
    private let work: (Meter, (String) -> Void) throws -> [Finding]

    /// One that measures by itself, as exactly as the effort asks, and tells `progress` what it is at.
    public init(
        _ name: String,
        _ measure: @escaping (_ effort: Effort, _ progress: (String) -> Void) throws -> [Finding]
    ) {
        self.name = name
        work = { try measure($0.effort, $1) }
    }

    /// A comparison.
    public init(_ comparison: Comparison) {
        name = comparison.name
        work = { [try $0.measure(comparison, progress: $1)] }
    }

    init(_ name: String, with work: @escaping (Meter, (String) -> Void) throws -> [Finding]) {
        (self.name, self.work) = (name, work)
    }

    /// Measures. What `progress` gets is a few words that stand for now only.
    public func run(_ meter: Meter, progress: (String) -> Void = { _ in }) throws -> [Finding] {
        try work(meter, progress)
    }
}

/// What is measured together, and can be asked for by its name.
public struct Suite {
    /// The first part of its findings' names.
    public let name: String
    /// The versions of its peers, for the report; asked for when the suite runs.
    public let versions: () throws -> [String: String]
    /// What of it can't be measured here and why, a sentence each, which begins with how the names of that begin. It stands
    /// among the report's warnings.
    public let leftOut: [String]
    /// In the order in which they run.
    public let trials: [Trial]

    /// A suite of trials.
    public init(
        _ name: String, versions: @escaping @autoclosure () throws -> [String: String] = [:],
        leftOut: [String] = [], _ trials: [Trial]
    ) {
        (self.name, self.versions, self.leftOut, self.trials) = (name, versions, leftOut, trials)
    }

    /// A suite of comparisons.
    public init(
        _ name: String, versions: @escaping @autoclosure () throws -> [String: String] = [:],
        leftOut: [String] = [], _ comparisons: [Comparison]
    ) {
        self.init(name, versions: try versions(), leftOut: leftOut, comparisons.map { Trial($0) })
    }
}
