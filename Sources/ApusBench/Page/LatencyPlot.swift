/// How long single packets took: the share that took longer, so that the slow ones, which matter, can be seen.
enum LatencyPlot {
    static func charts(_ findings: [Finding]) -> [Chart] {
        findings.compactMap { finding in
            let all = [finding.apus, finding.peer].compactMap(\.self).filter {
                !($0.distribution ?? []).isEmpty
            }
            guard !all.isEmpty else { return nil }
            let series = all.map { figures in
                Chart.Series(
                    name: figures.name, color: figures == finding.apus ? 0 : 1,
                    points: (figures.distribution ?? []).filter { $0.count == 2 && $0[0] > 0 && $0[1] < 1 }
                        .map { (x: $0[0] / 1e3, y: 1 - $0[1]) })
            }
            let points = series.flatMap(\.points)
            guard !points.isEmpty else { return nil }
            let (times, shares) = (points.map(\.x), points.map(\.y))
            return Chart(
                title: finding.name + ".",
                sentence:
                    "The share of packets that took longer than so many microseconds: the lower and the further "
                    + "left, the better. At 0.01 it is the slowest of a hundred.",
                xTitle: "microseconds, logarithmic", yTitle: "share of packets, logarithmic", series: series,
                x: Scale(logarithmic: times.min()!...times.max()!, Chart.across),
                y: Scale(logarithmic: shares.min()!...1, Chart.upwards), hasMarks: false)
        }
    }
}
