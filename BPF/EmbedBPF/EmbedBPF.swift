import Foundation
import PackagePlugin

/// Compiles the BPF programs of a target with the toolchain's clang and embeds the objects as Swift arrays, so that nothing
/// has to be found at run time: BPF/*.bpf.c, for ApusFilter BPF/Filter/*.bpf.c, and for tests BPF/Tests/*.bpf.c.
@main
struct EmbedBPF: BuildToolPlugin {
    /// Compile, drop the DWARF (BTF stays), then print the object's bytes as a Swift literal.
    static let script = """
        "$1" -print-targets | grep -q bpf || {
            echo "error: $1 has no BPF target; use the clang of a swift.org toolchain" >&2; exit 1; }
        [ -e /usr/include/bpf/bpf_helpers.h ] && [ -e /usr/include/xdp/xdp_helpers.h ] || {
            echo "error: BPF headers are missing; apt install libbpf-dev libxdp-dev" >&2; exit 1; }
        "$1" -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I "$5" -I "$7" -I "/usr/include/$(uname -m)-linux-gnu" \
            -c "$2" -o "$3"
        "$(dirname "$1")/llvm-objcopy" --strip-debug "$3"
        { echo "enum $6 { static let object: [UInt8] = ["
        od -An -v -tu1 "$3" | sed 's/  */,/g; s/^,//; s/$/,/'
        echo "] }"; } > "$4"
        """

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let programs = context.package.directoryURL.appending(path: "BPF")
        // Programs of one room, and those that only the tests attach, have a folder of their own.
        let folder: String? =
            target.name == "ApusFilter" ? "Filter" : target.name.hasSuffix("Tests") ? "Tests" : nil
        let sources = folder.map { programs.appending(path: $0) } ?? programs
        let clang = try context.tool(named: "clang").url
        let files = try Self.files(of: sources)
        // Both folders are searched for headers.
        let headers = Set(files + (try Self.files(of: programs))).filter { $0.pathExtension == "h" }
        return files.filter { $0.lastPathComponent.hasSuffix(".bpf.c") }.map { source in
            let stem = source.lastPathComponent.dropLast(".bpf.c".count)
            let name = stem.split(separator: "_").map(\.capitalized).joined() + "Program"
            let object = context.pluginWorkDirectoryURL.appending(path: "\(stem).bpf.o")
            let swift = context.pluginWorkDirectoryURL.appending(path: "\(name).swift")
            return .buildCommand(
                displayName: "clang -target bpf \(source.lastPathComponent)",
                executable: URL(filePath: "/bin/sh"),
                arguments: [
                    "-ec", Self.script, "sh", clang.path(), source.path(), object.path(), swift.path(),
                    programs.path(), name, sources.path(),
                ],
                inputFiles: [source] + headers.sorted { $0.path() < $1.path() },
                outputFiles: [swift])
        }
    }

    private static func files(of folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    }
}
