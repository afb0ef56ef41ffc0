import Foundation
import Testing

/// The first thing that a user of the library writes.
@Suite("The manifest")
struct ManifestTests {
    @Test func `The manifest that README shows finds the library`() throws {
        let folder = TemporaryFolder()
        let readme = try String(contentsOfFile: Layout.root + "/README.md", encoding: .utf8)
        let manifest = try #require(
            readme.components(separatedBy: "```").first { $0.hasPrefix("swift\n// swift-tools-version") })
        let files = FileManager.default
        try files.createSymbolicLink(atPath: folder.file("apus"), withDestinationPath: Layout.root)
        try files.createDirectory(
            atPath: folder.file("echo/Sources/echo"), withIntermediateDirectories: true)
        try manifest.dropFirst("swift\n".count).write(
            toFile: folder.file("echo/Package.swift"), atomically: true, encoding: .utf8)
        try files.copyItem(
            atPath: Layout.root + "/Examples/Sources/echo/main.swift",
            toPath: folder.file("echo/Sources/echo/main.swift"))
        // Loads the graph of packages, products included, without the minutes of a build.
        let ran = try Ran(["swift", "package", "--package-path", folder.file("echo"), "show-dependencies"])
        #expect(ran.status == 0, "\(ran.output)")
    }
}
