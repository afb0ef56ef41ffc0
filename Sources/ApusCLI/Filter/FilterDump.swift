import Apus

/// `apus filter dump`, `apus filter export`, and what completions ask for.
extension FilterCommand {
    static let dump = Command(
        name: "dump",
        otherNames: ["save"],
        summary: "print the rules in force, as a file of rules",
        discussion: [
            "What is printed can be loaded again, here or elsewhere. Of entries with a lifetime it says what is left; bans "
                + "and buckets are no rules, and stay when rules are reloaded."
        ],
        arguments: [interface],
        examples: [
            Example(purpose: "Keep the rules", line: "sudo apus filter dump eth0 > eth0.json5")
        ],
        run: { invocation throws(ExitFailure) in
            try require(looking, for: "looking at filters")
            let filter = try filter(on: try invocation.kernelInterface())
            var rules = try filtering { () throws(FilterError) in try filter.rules() }
            for place in rules.entries.indices {
                rules.entries[place].lifetime = rules.entries[place].lifetime?.roundedUp
            }
            invocation.output.write(rules.text)
        })

    static let export = Command(
        name: "export",
        summary: "print the figures as Prometheus metrics",
        discussion: [
            "For the node exporter's textfile collector, which serves files that end in .prom: write to another name "
                + "first and move it, so that no half of a file is served. Of a filter that another tool has taken off its "
                + "interface there is apus_filter_attached alone, which is 0."
        ],
        arguments: [
            Argument(
                name: "IF", help: "The interfaces; all that have a filter without one.", isRequired: false,
                repeats: true, completion: .interface)
        ],
        examples: [
            Example(
                purpose: "Every minute, by cron(8)",
                line:
                    "apus filter export > /var/lib/node_exporter/apus.new && mv /var/lib/node_exporter/apus.new "
                    + "/var/lib/node_exporter/apus.prom")
        ],
        run: { invocation throws(ExitFailure) in
            let names = invocation.arguments.isEmpty ? nil : Set(invocation.arguments)
            let takenOff = try takenOff().map(\.interface).filter { names?.contains($0) ?? true }
            let (all, failure) = try statuses(invocation, but: takenOff)
            invocation.output.write(FilterMetrics.text(all, takenOff: takenOff))
            if let failure { throw failure }
        })

    /// For the shells alone: what may stand in rules, a line each.
    static let words = Command(
        name: "words",
        summary: "print what may stand in rules, for completions",
        arguments: [
            Argument(name: "KIND", help: "What is asked for: entries, limits, subjects or services."),
            Argument(name: "WORD", help: "The words of the line so far.", isRequired: false, repeats: true),
        ],
        isHidden: true,
        run: { invocation in
            guard let kind = Completion.FilterWords(rawValue: invocation.arguments[0]) else { return }
            let beginnings = FilterSubject.beginnings.filter { word in
                kind == .subjects || kind == .services && !word.hasPrefix("from:")
            }
            for word in beginnings { invocation.output.line(word) }
            let words = Set(invocation.arguments.dropFirst())
            // A shell that asks is not to be told of errors.
            guard kind != .services,
                let filter = (try? RateLimitFilter.all())?.first(where: { words.contains($0.interface) }),
                let rules = try? filter.rules()
            else { return }
            guard kind != .limits else {
                for limit in rules.limits { invocation.output.line(limit.name.printable) }
                return
            }
            let bans = (try? filter.status().bans.map { "\($0.source)" }) ?? []
            // More than anybody chooses from.
            for word in (rules.entries.map { "\($0.subject)" } + bans).prefix(1000)
            where !beginnings.contains(word) { invocation.output.line(word) }
        })
}
