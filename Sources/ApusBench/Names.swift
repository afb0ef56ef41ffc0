import ApusConfig

/// The first part of a benchmark's name.
func suiteName(_ name: String) -> String { String(name.prefix { $0 != "/" }) }

/// Whether who asked for those names, each the beginning of some benchmarks' names, asked for all whose names begin with
/// `beginning`; who named nothing asked for everything.
func isAsked(_ beginning: String, by names: [String]?) -> Bool {
    names?.contains { beginning.hasPrefix($0) } ?? true
}

/// What was asked for by a name that nothing has.
public struct UnknownName: Error, CustomStringConvertible {
    /// A sentence without a full stop: what is meant perhaps, or what there is.
    public let description: String
}

extension Suite {
    /// What of it those names ask for, each the beginning of a benchmark's name; `nil` if that is nothing.
    ///
    /// - Throws: `UnknownName`; and `BenchError` for what can't be measured here, since who names it does not want a run
    ///   without it.
    public func only(_ names: [String]) throws -> Suite? {
        let own = names.filter { $0 == name || $0.hasPrefix("\(name)/") }
        guard !own.isEmpty else { return nil }
        for asked in own where !trials.contains(where: { $0.name.hasPrefix(asked) }) {
            try refuse(asked)
        }
        return Suite(
            name, versions: try versions(), leftOut: own.contains(name) ? leftOut : [],
            trials.filter { isAsked($0.name, by: own) })
    }

    private func refuse(_ asked: String) throws {
        if let reason = leftOut.first(where: { asked.hasPrefix($0.prefix { $0 != " " }) }) {
            throw BenchError(reason)
        }
        // A suite's, a subject's or a benchmark's whole name.
        let known = trials.map(\.name).flatMap { name in
            [name] + name.indices.filter { name[$0] == "/" }.map { String(name[..<$0]) }
        }
        let subjects = trials.reduce(into: [String]()) { subjects, trial in
            let subject = trial.name.split(separator: "/").prefix(2).joined(separator: "/")
            if !subjects.contains(subject) { subjects.append(subject) }
        }
        let way =
            nearestName(to: asked, among: known).map { "did you mean \($0)?" }
            ?? "there are: \(subjects.joined(separator: ", "))"
        let rest = leftOut.isEmpty ? "" : " (left out: \(leftOut.joined(separator: "; ")))"
        throw UnknownName(description: "nothing to measure begins with \(asked); \(way)\(rest)")
    }
}
