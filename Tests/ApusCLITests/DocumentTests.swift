import ApusConfig
import Foundation
import Testing

@testable import ApusCLI

/// The examples in the documents are tried here: what is shown must be what works.
@Suite("The documents")
struct DocumentTests {
    /// A fenced block of a document.
    struct Block: Sendable, CustomTestStringConvertible {
        let document: String
        let line: Int
        let language: String
        /// The file it shows, when a comment above it says so.
        let file: String?
        let text: String

        var testDescription: String { "\(document):\(line)" }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let blocks: [Block] = {
        let names =
            ["README.md"]
            + ((try? FileManager.default.contentsOfDirectory(atPath: root.path() + "/Docs")) ?? [])
            .filter { $0.hasSuffix(".md") }.sorted().map { "Docs/" + $0 } + articles
        return names.flatMap { blocks(of: $0) }
    }()

    /// The articles of the API's documentation.
    static var articles: [String] {
        let files = FileManager.default.enumerator(atPath: root.path() + "/Sources")
        return (files?.compactMap { $0 as? String } ?? [])
            .filter { $0.contains(".docc/") && $0.hasSuffix(".md") }.sorted().map { "Sources/" + $0 }
    }

    static func blocks(of document: String) -> [Block] {
        guard let text = try? String(contentsOf: root.appending(path: document), encoding: .utf8) else {
            return []
        }
        var blocks: [Block] = []
        var (file, start, language): (String?, Int?, String) = (nil, nil, "")
        var lines: [String] = []
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            if line.hasPrefix("```") {
                if let begun = start {
                    blocks.append(
                        Block(
                            document: document, line: begun, language: language, file: file,
                            text: lines.joined(separator: "\n") + "\n"))
                    (file, start, lines) = (nil, nil, [])
                } else {
                    (start, language) = (number + 1, String(line.dropFirst(3)))
                }
            } else if start != nil {
                lines.append(line)
            } else if line.hasPrefix("<!-- example: ") {
                file = String(line.dropFirst("<!-- example: ".count).dropLast(" -->".count))
            }
        }
        return blocks
    }

    /// Manifests are tried in ManifestTests, as only SwiftPM can say what is wrong with one.
    @Test(
        arguments: blocks.filter { $0.language == "swift" && !$0.text.contains("import PackageDescription") })
    func `A program they show is a file that is built`(_ block: Block) throws {
        let name = try #require(block.file, "no comment above it says which file of Examples it shows")
        #expect(name.hasPrefix("Examples/Sources/"))
        let file = try String(contentsOf: Self.root.appending(path: name), encoding: .utf8)
        #expect(block.text == file)
    }

    @Test(arguments: blocks.filter { $0.language == "json5" })
    func `A configuration they show is right`(_ block: Block) throws {
        let source = ConfigurationSource(
            name: "\(block.document):\(block.line)", bytes: Array(block.text.utf8))
        if block.file?.hasPrefix("/etc/apus/filter-") == true {
            _ = try FilterRules(parsing: source)
        } else {
            _ = try ForwarderConfiguration(parsing: source)
        }
    }

    @Test(arguments: blocks.filter { $0.language == "console" })
    func `A command line they show is understood`(_ block: Block) throws {
        for line in block.text.split(separator: "\n") where line.hasPrefix("$ ") {
            let command = line.dropFirst(2).split(separator: "#", maxSplits: 1)[0]
            for part in command.components(separatedBy: "&&") {
                var words = part.split(separator: " ").map { $0.trimmingCharacters(in: ["'"]) }
                if words.first == "sudo" { words.removeFirst() }
                guard words.first == "apus" else { continue }
                var path: [String] = []
                _ = try ArgumentParser.parse(Array(words.dropFirst()), root: .apus, path: &path)
            }
        }
    }

    @Test func `There are programs, configurations and command lines to try`() {
        let shown = Self.blocks.filter { $0.file?.hasSuffix(".swift") == true }.map(\.document)
        #expect(shown.contains("README.md") && shown.contains("Sources/Apus/Apus.docc/Apus.md"))
        #expect(Self.blocks.contains { $0.language == "json5" })
        #expect(Self.blocks.contains { $0.language == "console" && $0.text.contains("$ sudo apus") })
    }

    @Test(
        arguments: blocks.map(\.document).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } })
    func `A file they link to is there`(_ document: String) throws {
        let text = try String(contentsOf: Self.root.appending(path: document), encoding: .utf8)
        let folder = Self.root.appending(path: document).deletingLastPathComponent()
        for match in text.matches(of: /\]\(([^)#:\s]+)\)/) {
            let file = folder.appending(path: String(match.1))
            #expect(FileManager.default.fileExists(atPath: file.path()), "\(document) links to \(match.1)")
        }
    }
}
