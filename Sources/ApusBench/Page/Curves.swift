/// The plots whose lines run over findings whose names end in a number: `…/batch-32`, `…/bulk-8`, `…/streams-1000`.
struct Curves {
    /// One plot's findings: those whose names are the same but for that number.
    struct Group {
        var name: String
        var points: [(number: Double, finding: Finding)]
    }

    /// The groups of findings whose names end in one of those words and a number.
    static func groups(_ findings: [Finding], by words: Set<String>) -> [Group] {
        findings.reduce(into: []) { groups, finding in
            guard let slash = finding.name.lastIndex(of: "/") else { return }
            let parts = finding.name[slash...].dropFirst().split(separator: "-")
            guard parts.count == 2, words.contains(String(parts[0])), let number = Double(parts[1]) else {
                return
            }
            let name = String(finding.name[..<slash])
            if let place = groups.firstIndex(where: { $0.name == name }) {
                groups[place].points.append((number, finding))
            } else {
                groups.append(Group(name: name, points: [(number, finding)]))
            }
        }.filter { Set($0.points.map(\.number)).count > 1 }
    }

    /// The lines of a group: Apus, then each peer. Where Apus stands beside several, it has the figures of the first.
    static func series(_ group: Group, _ value: (Finding.Figures) -> Double?) -> [Chart.Series] {
        var series: [Chart.Series] = []
        func add(_ figures: Finding.Figures?, _ number: Double) {
            guard let figures, let value = value(figures) else { return }
            let place = series.firstIndex { $0.name == figures.name } ?? series.count
            if place == series.count {
                series.append(Chart.Series(name: figures.name, color: min(place, 3), points: []))
            }
            if !series[place].points.contains(where: { $0.x == number }) {
                series[place].points.append((number, value))
            }
        }
        for point in group.points { add(point.finding.apus, point.number) }
        for point in group.points { add(point.finding.peer, point.number) }
        for place in series.indices { series[place].points.sort { $0.x < $1.x } }
        return series
    }

    /// Throughput by batch or bulk size.
    static func throughput(_ findings: [Finding]) -> [Chart] {
        groups(findings, by: ["batch", "bulk"]).map { group in
            let unit = group.points[0].finding.unit
            return chart(
                group, series(group) { 1e3 / $0.nanoseconds },
                sentence:
                    "How many \(unit)s a second both do, by how many are handed over at a time: higher is better.",
                x: "\(unit)s at a time, logarithmic", y: "million \(unit)s/s")
        }
    }

    /// What a packet costs as sessions grow, and the memory that each takes.
    static func scale(_ findings: [Finding]) -> [Chart] {
        groups(findings, by: ["streams"]).flatMap { group in
            let time = chart(
                group, series(group, \.nanoseconds),
                sentence: "The time for one \(group.points[0].finding.unit) as sessions grow: flat is best.",
                x: "streams, logarithmic", y: "nanoseconds")
            let memory = series(group, \.bytes)
            guard !memory.isEmpty else { return [time] }
            return [
                time,
                chart(
                    group, memory, sentence: "The memory for each stream as sessions grow: flat is best.",
                    x: "streams, logarithmic", y: "bytes a stream"),
            ]
        }
    }

    private static func chart(
        _ group: Group, _ series: [Chart.Series], sentence: String, x: String, y: String
    ) -> Chart {
        let numbers = Set(group.points.map(\.number)).sorted()
        let most = series.flatMap(\.points).map(\.y).max() ?? 1
        return Chart(
            title: group.name + ".", sentence: sentence, xTitle: x, yTitle: y, series: series,
            x: Scale(logarithmic: numbers[0]...numbers[numbers.count - 1], Chart.across),
            y: Scale(linearTo: most, Chart.upwards), xTicks: numbers)
    }
}
