import Foundation

/// The compiler, as it compiles a program of a user's of the library that is built beside the tests.
enum Compiler {
    /// Where the modules are, Swift's and C's.
    private static let modules: [String] = {
        let folder = Layout.root + "/CModules"
        let shims = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        return ["-I", Layout.products + "/Modules", "-module-cache-path", Layout.products + "/ModuleCache"]
            + shims.flatMap { shim in
                let map = "\(Layout.products)/\(shim).build/module.modulemap"
                // One folder has links to DPDK's headers, and is no module; and DPDK's is built where that is installed.
                guard FileManager.default.fileExists(atPath: map) else { return [] as [String] }
                return ["-Xcc", "-I\(folder)/\(shim)/include", "-Xcc", "-fmodule-map-file=\(map)"]
            }
    }()

    /// Compiles a file, with the settings that README's manifest has.
    ///
    /// - Parameter output: as far as what; what it makes is thrown away.
    static func compile(_ file: String, as output: String, _ more: [String] = []) throws -> Ran {
        try Ran(
            ["swiftc", output, file, "-o", "/dev/null", "-parse-as-library", "-swift-version", "6"]
                + ["-strict-memory-safety", "-Werror", "StrictMemorySafety"] + more + modules)
    }
}
