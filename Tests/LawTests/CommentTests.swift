import Foundation
import Testing

/// What the comments of declarations show is what a user copies first.
@Suite("The examples in comments")
struct CommentTests {
    /// A block fenced as Swift in the comment of a declaration.
    struct Example {
        let file: String
        /// Of its first line.
        let line: Int
        var text = ""
    }

    static func examples() throws -> [Example] {
        let sources = Layout.root + "/Sources"
        let files = try FileManager.default.subpathsOfDirectory(atPath: sources).filter {
            $0.hasSuffix(".swift")
        }
        return try files.sorted().flatMap { try examples(of: "\(sources)/\($0)") }
    }

    static func examples(of file: String) throws -> [Example] {
        var examples: [Example] = []
        var isOpen = false
        let lines = try String(contentsOfFile: file, encoding: .utf8).components(separatedBy: "\n")
        for (number, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            if text.hasPrefix("/// ```") {
                if !isOpen, text == "/// ```swift" { examples.append(Example(file: file, line: number + 2)) }
                isOpen = !isOpen && text == "/// ```swift"
            } else if isOpen {
                examples[examples.count - 1].text += text.dropFirst("/// ".count) + "\n"
            }
        }
        return examples
    }

    /// What examples speak of that they don't make.
    static let context = """
        import Apus

        func answer(_ packet: inout Packet) -> Bool { true }
        func wait(for descriptor: Int32, atMost: Duration) {}

        """
    static let parameters = """
        port: inout Port<MemoryDriver>, memory: FrameMemory, configuration: ForwarderConfiguration, path: String, \
        traffic: GeneratedTraffic, headers: UDPEncapsulation, running: Bool
        """

    @Test func `They compile`() throws {
        let examples = try Self.examples()
        #expect(examples.count >= 10, "\(examples)")
        var program = Self.context
        for (number, example) in examples.enumerated() {
            program += "func example\(number)(\(Self.parameters)) throws {\n"
            program += "#sourceLocation(file: \"\(example.file)\", line: \(example.line))\n"
            program += example.text + "#sourceLocation()\n}\n"
        }
        let folder = TemporaryFolder()
        let file = folder.file("examples.swift")
        try program.write(toFile: file, atomically: false, encoding: .utf8)
        // As far as SIL, since lifetimes are checked after types.
        let ran = try Compiler.compile(file, as: "-emit-sil")
        #expect(ran.status == 0, "\(ran.output)")
    }

    @Test func `Indented code, which nothing tries, is not among them`() throws {
        let sources = Layout.root + "/Sources"
        for file in try FileManager.default.subpathsOfDirectory(atPath: sources)
        where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(sources)/\(file)", encoding: .utf8)
            let found = text.matches(of: /\n *\/\/\/\n *\/\/\/ {5,}([^\n]*)/).map { String($0.1) }
            #expect(found.isEmpty, "\(file): \(found)")
        }
    }
}
