import FoundationEssentials

extension Output {
    /// Writes a value as JSON with sorted keys, so that the same value is always the same text: spread over
    /// lines for a person, in one line for a program or a series of values.
    func json(_ value: some Encodable, spread: Bool) {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            spread
            ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        do {
            line(String(decoding: try encoder.encode(value), as: UTF8.self))
        } catch {
            // Nothing that is encoded here can fail: the keys are strings and the numbers finite or named above.
            preconditionFailure("\(type(of: value)) cannot be written as JSON: \(error)")
        }
    }
}
