extension Report {
    /// The figures as one page of HTML that needs nothing from elsewhere: for each suite its plots and its table.
    public func page() -> String {
        let suites = results.reduce(into: [(name: String, findings: [Finding])]()) { suites, finding in
            if suites.last?.name != finding.suite { suites.append((finding.suite, [])) }
            suites[suites.count - 1].findings.append(finding)
        }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Apus beside its peers</title><style>
            \(style)
            </style></head><body>
            <h1>Apus beside its peers</h1>
            \(warnings.map { "<p class=\"warning\">Warning: \(escaped($0)).</p>" }.joined(separator: "\n"))
            \(failures.map { "<p class=\"warning\">\(escaped($0.line))</p>" }.joined(separator: "\n"))
            <table class="facts">\(facts.map { "<tr><td>\(escaped($0))</td><td>\(escaped($1))</td></tr>" }.joined())</table>
            \(suites.map { section($0.name, $0.findings) }.joined(separator: "\n"))
            </body></html>

            """
    }

    /// What was measured, where and how.
    private var facts: [(String, String)] {
        var clock = machine.clock
        if let ticks = machine.ticksPerNanosecond { clock += " at \(fixed(ticks, 2)) GHz" }
        let processor = machine.processor.isEmpty ? machine.architecture : machine.processor
        let others = "\(fixed(load.othersShare * 100, 1)) % of the machine went to others"
        let backends = Set(results.flatMap { [$0.apus.backend, $0.peer?.backend] }.compactMap(\.self))
            .sorted()
        let granted =
            backends.isEmpty ? "none: nothing here opened an interface" : backends.joined(separator: "; ")
        let known = [
            ("machine", "\(processor), \(machine.cores) core\(machine.cores == 1 ? "" : "s")"),
            ("kernel", "Linux \(machine.kernel), \(machine.system)"),
            ("run", "\(date), \(effort), \(build) build, clock: \(clock)"),
            ("load", "\(others); load average at the start \(fixed(load.averageAtStart, 2))"),
            ("backends granted", granted),
        ]
        return known + versions.sorted { $0.key < $1.key }.map { ("version of \($0.key)", $0.value) }
    }

    private func section(_ name: String, _ findings: [Finding]) -> String {
        let charts = Curves.throughput(findings) + LatencyPlot.charts(findings) + Curves.scale(findings)
        let grid =
            charts.isEmpty ? "" : "<div class=\"charts\">\(charts.map(\.html).joined(separator: "\n"))</div>"
        return """
            <h2>\(escaped(name))</h2>
            \(RatioPlot(findings: findings).html)
            \(RateBars.html(findings))
            \(grid)
            \(Published.ixyTable(findings))
            <details open><summary>Figures</summary>
            \(figures(findings))</details>
            """
    }

    private func figures(_ findings: [Finding]) -> String {
        let heads = [
            "", "for each", "Apus, ns (quartiles)", "beside, ns (quartiles)", "who", "ratio [95 %]",
            "Apus' cycles",
            "instructions", "bytes", "backend", "rounds", "placements",
        ]
        let rows = findings.map { cells($0) }
        // What no finding has, needs no column.
        let columns = heads.indices.filter { column in column < 3 || rows.contains { !$0[column].isEmpty } }
        return table(columns.map { heads[$0] }, rows.map { row in columns.map { row[$0] } })
    }

    private func cells(_ finding: Finding) -> [String] {
        func time(_ figures: Finding.Figures) -> String {
            "\(fixed(figures.nanoseconds, 2)) (\(fixed(figures.lowerQuartile, 2))–\(fixed(figures.upperQuartile, 2)))"
        }
        let own = finding.apus
        let counts = [(own.ticks, 1), (own.instructions, 1), (own.bytes, 0)].map { value, decimals in
            value.map { fixed($0, decimals) } ?? ""
        }
        let beside = [finding.peer.map(time) ?? "", finding.peer?.name ?? "", finding.timeRatio?.text ?? ""]
        return [finding.name, finding.unit, time(own)] + beside + counts + [
            own.backend ?? "", "\(finding.rounds)", "\(finding.placements)",
        ]
    }
}

/// Both colour schemes; the colours of lines keep a contrast of 3 to 1 on either ground.
private let style = """
    :root { color-scheme: light dark; --ground: #fff; --text: #1c1c1c; --grid: #ddd; --even: #888;
      --c0: #0b6bcb; --c1: #c2410c; --c2: #7c3aed; --c3: #4d7c0f; --faster: #15803d; --slower: #c2410c; --warning: #b00020 }
    @media (prefers-color-scheme: dark) { :root { --ground: #141414; --text: #ddd; --grid: #333; --even: #999;
      --c0: #5aa9f7; --c1: #f59762; --c2: #b79bf5; --c3: #a3cf5b; --faster: #5bc27f; --slower: #f59762; --warning: #ff7b8a } }
    body { font: 15px/1.45 system-ui, sans-serif; max-width: 66em; margin: 2em auto; padding: 0 1em;
      background: var(--ground); color: var(--text) }
    figure { margin: 0 0 1.5em } figcaption { margin-bottom: .4em }
    svg { width: 100%; height: auto; display: block } svg text { font: 12px system-ui, sans-serif; fill: var(--text) }
    .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(22em, 1fr)); gap: 1em 2em }
    .grid { stroke: var(--grid) } .even { stroke: var(--even) } .whisker { stroke: var(--text); stroke-width: 2 }
    .series { fill: none; stroke-width: 2 }
    .c0 { fill: var(--c0); stroke: var(--c0) } .c1 { fill: var(--c1); stroke: var(--c1) }
    .c2 { fill: var(--c2); stroke: var(--c2) } .c3 { fill: var(--c3); stroke: var(--c3) }
    polyline.c0, polyline.c1, polyline.c2, polyline.c3 { fill: none }
    .faster { fill: var(--faster); stroke: var(--faster) } .slower { fill: var(--slower); stroke: var(--slower) }
    .alike { fill: var(--even); stroke: var(--even) } line.faster, line.slower, line.alike { stroke-width: 3 }
    .legend { font-size: 13px } .legend span { margin-right: 1.2em } .legend span::before { content: "■ " }
    .legend .c0 { color: var(--c0) } .legend .c1 { color: var(--c1) } .legend .c2 { color: var(--c2) } .legend .c3 { color: var(--c3) }
    .scroll { overflow-x: auto } table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
    td, th { padding: .1em .8em .1em 0; text-align: right } td:first-child, th:first-child { text-align: left }
    .facts td { text-align: left } .facts td:first-child { opacity: .7 } .warning { color: var(--warning) }
    """
