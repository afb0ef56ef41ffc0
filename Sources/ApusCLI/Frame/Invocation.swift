import Apus

/// What was typed, sorted into options and arguments, and where the answer goes.
struct Invocation {
    /// The command's name with those above it: `apus forward`.
    let path: String
    let command: Command
    /// The whole tree, for the commands that speak about it.
    let root: Command
    let output: Output
    /// Standard error.
    let errorOutput: Output
    fileprivate let values: [String: [String]]
    /// The arguments that are no options, in their order.
    let arguments: [String]

    init(
        path: String, command: Command, root: Command, output: Output, errorOutput: Output,
        values: [String: [String]], arguments: [String]
    ) {
        self.path = path
        self.command = command
        self.root = root
        self.output = output
        self.errorOutput = errorOutput
        self.values = values
        self.arguments = arguments
    }

    /// The texts given for an option, in their order.
    func texts(_ option: Option) -> [String] {
        precondition(
            command.allOptions.contains { $0.long == option.long }, "\(path) has no option \(option.name)")
        return values[option.long] ?? []
    }

    /// Whether an option was given.
    func has(_ option: Option) -> Bool { !texts(option).isEmpty }

    /// The text given for an option, or nil.
    func text(_ option: Option) -> String? { texts(option).last }

    /// The value given for an option, or nil; wrong usage if it cannot be one.
    func value<Value: ConfigurationValue>(_ option: Option, as type: Value.Type) throws(ExitFailure) -> Value?
    {
        try values(option, as: type).last
    }

    /// The values given for an option, in their order; wrong usage if one cannot be one.
    func values<Value: ConfigurationValue>(_ option: Option, as type: Value.Type) throws(ExitFailure)
        -> [Value]
    {
        var result: [Value] = []
        for text in texts(option) {
            do {
                result.append(try Value.read(optionText: text))
            } catch {
                throw ExitFailure(.usage, "\(option.name): \(error.message)")
            }
        }
        return result
    }

    /// Puts the value given for an option into `target`, which keeps what it has if none was given.
    func read<Value: ConfigurationValue>(_ option: Option, into target: inout Value) throws(ExitFailure) {
        if let value = try value(option, as: Value.self) { target = value }
    }

    /// Puts the value given for an option into `target`, which keeps what it has if none was given.
    func read<Value: ConfigurationValue>(_ option: Option, into target: inout Value?) throws(ExitFailure) {
        if let value = try value(option, as: Value.self) { target = value }
    }
}

extension ConfigurationValue {
    /// Reads a value as a configuration file would, with the same words when it cannot be.
    fileprivate static func read(optionText text: String) throws(ValueRefusal) -> Self {
        let start = SourcePosition(line: 1, column: 1)
        if self is Int.Type, let number = Int(text) {
            return try read(JSON5Value(.integer(number), at: start))
        }
        return try read(JSON5Value(.string(text), at: start))
    }
}
