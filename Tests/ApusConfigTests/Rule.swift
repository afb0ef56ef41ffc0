import ApusConfig
import Testing

/// What the tests of single rules share.
enum Rule {
    static func expect(
        _ text: String, _ messages: [String], sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) {
        let told = complaint(aboutForwarder: text).split(separator: "\n").filter { !$0.hasPrefix("  ") }
        #expect(
            told.map { String($0.replacing("x.json5:", with: "", maxReplacements: 1)) } == messages,
            sourceLocation: sourceLocation)
    }

    /// A whole configuration round one stream, or several.
    static func streams(_ streams: String) -> String { "{ streams: [\n\(streams)\n] }" }
    /// A whole configuration round other sections.
    static func with(_ sections: String) -> String {
        "{ streams: [{ listen: '192.0.2.1:5004', to: ['198.51.100.7:5004'] }],\n\(sections)\n}"
    }
}
