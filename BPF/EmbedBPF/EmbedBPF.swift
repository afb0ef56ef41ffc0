import Foundation
import PackagePlugin

/// Compiles each BPF/*.bpf.c (for a test target each BPF/Tests/*.bpf.c) with the toolchain's clang and embeds the object as a Swift array, so
/// that nothing has to be found at run time.
@main
struct EmbedBPF: BuildToolPlugin {
    /// Compile, drop the DWARF (BTF stays), then print the object's bytes as a Swift literal.
    static let script = """
        "$1" -print-targets | grep -q bpf || {
            echo "error: $1 has no BPF target; use the clang of a swift.org toolchain" >&2; exit 1; }
        [ -e /usr/include/bpf/bpf_helpers.h ] && [ -e /usr/include/xdp/xdp_helpers.h ] || {
            echo "error: BPF headers are missing; apt install libbpf-dev libxdp-dev" >&2; exit 1; }
        "$1" -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I "$5" -I "/usr/include/$(uname -m)-linux-gnu" \
            -c "$2" -o "$3"
        "$(dirname "$1")/llvm-objcopy" --strip-debug "$3"
        { echo "enum $6 { static let object: [UInt8] = ["
        od -An -v -tu1 "$3" | sed 's/  */,/g; s/^,//; s/$/,/'
        echo "] }"; } > "$4"
        """

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let programs = context.package.directoryURL.appending(path: "BPF")
        // Programs that only the tests attach have a folder of their own.
        let sources = target.name.hasSuffix("Tests") ? programs.appending(path: "Tests") : programs
        let clang = try context.tool(named: "clang").url
        let files = try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil)
        let headers = try FileManager.default.contentsOfDirectory(
            at: programs, includingPropertiesForKeys: nil
        )
        .filter { $0.pathExtension == "h" }
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
                    programs.path(), name,
                ],
                inputFiles: [source] + headers,
                outputFiles: [swift])
        }
    }
}
