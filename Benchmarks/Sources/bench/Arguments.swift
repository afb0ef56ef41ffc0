/// A verb, names, and options with and without a value.
struct Arguments {
    struct Wrong: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private static let valued: Set<String> = [
        "json", "html", "targets", "baseline", "commit", "swift", "results",
    ]
    private static let flags: Set<String> = ["quick", "one-core"]

    let verb: String
    private(set) var names: [String] = []
    private var options: [String: String] = [:]

    init(_ words: some Sequence<String>) throws {
        var rest = Array(words)[...]
        verb = rest.popFirst() ?? "run"
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                names.append(word)
                continue
            }
            let name = String(word.dropFirst(2))
            if Self.flags.contains(name) {
                options[name] = ""
            } else if Self.valued.contains(name), let value = rest.popFirst() {
                options[name] = value
            } else {
                throw Wrong("\(word) is no option, or has no value")
            }
        }
    }

    func has(_ name: String) -> Bool { options[name] != nil }
    func value(_ name: String) -> String? { options[name] }
    func required(_ name: String) throws -> String {
        guard let value = options[name] else { throw Wrong("--\(name) is needed") }
        return value
    }
}
