import ApusConfig

/// The interfaces that a configuration needs on a host.
struct NeededInterfaces {
    /// Those to open, each once.
    private(set) var names: [String] = []
    /// Those of them that are listened on only because a stream listens at any address; it can do without them.
    private(set) var optional: Set<String> = []
    /// Those of them that streams listen on.
    private(set) var listening: Set<String> = []
    /// Who was the first to ask for one, and where.
    private(set) var askers: [String: Asker] = [:]
    /// What is legal, and may not be what was meant.
    var warnings: [ConfigurationError] = []

    /// Who needs an interface: `the stream "camera" needs the interface`, and where that is written.
    struct Asker {
        var text: String
        var place: ConfigurationLocation

        /// A stream, which listens there or leaves by it.
        init(_ stream: StreamConfiguration, at place: ConfigurationLocation) {
            (text, self.place) = ("the stream \(stream.name.quoted) needs the interface", place)
        }

        /// An entry of the list.
        init(_ interface: InterfaceConfiguration) {
            (text, place) = ("\"interfaces\" lists", interface.map["name"])
        }
    }

    /// Adds one that somebody can't do without.
    mutating func add(_ name: String, for asker: Asker) {
        optional.remove(name)
        if askers[name] == nil { askers[name] = asker }
        if !names.contains(name) { names.append(name) }
    }

    /// Notes that a stream listens on some of them.
    mutating func listen(on names: some Sequence<String>) { listening.formUnion(names) }

    /// Adds one that is listened on as any other is.
    mutating func addOptional(_ name: String) {
        listen(on: [name])
        guard !names.contains(name) else { return }
        names.append(name)
        optional.insert(name)
    }

    /// Leaves out those that can be done without and are not open, and gives their names.
    mutating func leaveOut(butFor open: [String]) -> [String] {
        let left = names.filter { optional.contains($0) && !open.contains($0) }
        names.removeAll { left.contains($0) }
        listening.subtract(left)
        return left
    }
}
