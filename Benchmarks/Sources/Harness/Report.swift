import Foundation

/// All that one run found: what `--json` writes. Benchmarks/README.md describes it.
package struct Report: Codable, Equatable {
    /// The version of this form. It grows when a field changes its meaning or goes, not when one is added.
    package var schema = 1
    /// When it was done, as ISO 8601.
    package var date: String
    /// `full`, or `quick` for a short run.
    package var effort: String
    /// `release`, or `debug`, whose figures say nothing.
    package var build: String
    /// What was measured, by name: `apus`, `swift`, `twins`, `dpdk`.
    package var versions: [String: String]
    package var machine: Machine
    package var load: Load
    /// What speaks against the figures, in sentences.
    package var warnings: [String]
    package var results: [Finding]

    package init(
        effort: String, build: String, versions: [String: String], machine: Machine, load: Load,
        results: [Finding]
    ) {
        date = Date.now.formatted(.iso8601)
        (self.effort, self.build, self.versions) = (effort, build, versions)
        (self.machine, self.load, self.results) = (machine, load, results)
        warnings = []
        if build == "debug" { warnings.append("a debug build: the figures say nothing") }
        if load.othersShare > Load.quietLimit {
            warnings.append(
                "a busy machine: others had \(Int((load.othersShare * 100).rounded())) % of its time; "
                    + "ratios hold, times may not")
        }
    }

    package init(readingFrom path: String) throws {
        self = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// The report as JSON, keys in order.
    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension Finding {
    /// A line of the table.
    package var line: String {
        let spread = [apus, peer].map { figures in
            let width = (figures.upperQuartile - figures.lowerQuartile) / figures.nanoseconds / 2
            return String(format: "%8.2f ns ±%2.0f %%", figures.nanoseconds, width * 100)
        }
        let ratio = String(format: "%.3f [%.3f, %.3f]", timeRatio.median, timeRatio.low, timeRatio.high)
        return name.padded(32) + spread[0] + "  " + spread[1] + " " + peer.name.padded(12) + ratio
    }

    /// What stands above the lines.
    package static var heading: String {
        "".padded(32) + "Apus".padded(18) + "beside".padded(31) + "Apus' time over the other's, 95 %"
    }
}

extension String {
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
