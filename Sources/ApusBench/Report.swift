import Foundation

/// All that one run found: what `--json` writes. Benchmarks/README.md describes it.
public struct Report: Codable, Equatable, Sendable {
    /// The version of this form. It grows when a field changes its meaning or goes, not when one is added.
    public var schema = 2
    /// When it was done, as ISO 8601.
    public var date: String
    /// `full`, or `quick` for a short run.
    public var effort: String
    /// `release`, or `debug`, whose figures say nothing.
    public var build: String
    /// What was measured, by name: `apus`, `swift`, and what the suites say of their peers.
    public var versions: [String: String]
    /// Where.
    public var machine: Machine
    /// What else that had to do.
    public var load: Load
    /// What speaks against the figures, in sentences.
    public var warnings: [String]
    /// What was found, in the order of measuring.
    public var results: [Finding]

    /// A report of now.
    ///
    /// - Parameters:
    ///   - build: `release` or `debug`: of the code that was measured.
    ///   - leftOut: what was not measured and why, a sentence each.
    public init(
        effort: Effort, build: String, versions: [String: String], machine: Machine, load: Load,
        leftOut: [String] = [], results: [Finding]
    ) {
        date = Date.now.formatted(.iso8601)
        (self.effort, self.build, self.versions) = (effort.name, build, versions)
        (self.machine, self.load, self.results) = (machine, load, results)
        warnings = []
        if build == "debug" { warnings.append("a debug build: the figures say nothing") }
        if load.othersShare > Load.quietLimit {
            warnings.append(
                "a busy machine: others had \(Int((load.othersShare * 100).rounded())) % of its time; "
                    + "ratios hold, times may not")
        }
        warnings += leftOut
    }

    /// What ``json()`` has written to a file, of this form or an earlier one.
    public init(readingFrom path: String) throws {
        self = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// The report as JSON, keys in order.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension Finding {
    /// A line of the table.
    public var line: String {
        let line = name.padded(32) + apus.spread
        guard let peer, let timeRatio else { return line }
        let ratio = String(format: "%.3f [%.3f, %.3f]", timeRatio.median, timeRatio.low, timeRatio.high)
        return line + "  " + peer.spread + " " + peer.name.padded(12) + ratio
    }

    /// What stands above the lines.
    public static var heading: String {
        "".padded(32) + "Apus".padded(18) + "beside".padded(31) + "Apus' time over the other's, 95 %"
    }
}

extension Finding.Figures {
    fileprivate var spread: String {
        let width = (upperQuartile - lowerQuartile) / nanoseconds / 2
        return String(format: "%8.2f ns ±%2.0f %%", nanoseconds, width * 100)
    }
}

extension String {
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
