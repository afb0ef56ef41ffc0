import CXDP
import Glibc

/// The BPF file system, where maps and programs are pinned so that they outlive the process that made them.
package enum BPFFileSystem {
    /// Where it is: /sys/fs/bpf, or what LIBXDP_BPFFS says, as for libxdp.
    package static var root: String { LibXDP.bpfFileSystem }

    /// Whether one is mounted there.
    package static var isMounted: Bool { apus_xdp_has_bpffs() != 0 }

    /// A name that a file in it can have. The kernel refuses dots there, and interfaces such as `eth0.100` have
    /// them: those become `%2e`, and a percent sign `%25`.
    package static func encoded(_ name: String) -> String {
        String(name.flatMap { $0 == "." ? "%2e" : $0 == "%" ? "%25" : String($0) })
    }

    /// The name that ``encoded(_:)`` was given.
    package static func decoded(_ name: String) -> String {
        name.split(separator: "%2e", omittingEmptySubsequences: false)
            .map { $0.split(separator: "%25", omittingEmptySubsequences: false).joined(separator: "%") }
            .joined(separator: ".")
    }

    /// Makes a folder in it and those above, for the owner alone, and gives its path: `makeFolder("apus/filter")`.
    package static func makeFolder(_ folder: String) throws(BPFError) -> String {
        guard isMounted else {
            throw BPFError(
                "pinning in \(root)", code: ENOENT,
                detail: "no BPF file system is mounted there (mount -t bpf bpf \(root))")
        }
        var path = root
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            guard unsafe mkdir(path, S_IRWXU) == 0 || errno == EEXIST else {
                throw BPFError("making the folder \(path)", code: errno)
            }
        }
        return path
    }

    /// What is in a folder, sorted; nothing where there is no such folder.
    package static func entries(of path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe string(of: entry.pointee.d_name)
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Puts a pin in the place of another one in a single step.
    package static func move(_ path: String, to other: String) throws(BPFError) {
        guard unsafe rename(path, other) == 0 else {
            throw BPFError("moving the pin \(path) to \(other)", code: errno)
        }
    }

    /// Removes a pin. What it held lives on while anybody else holds it. Nothing happens if it is not there.
    package static func unpin(_ path: String) throws(BPFError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw BPFError("removing the pin \(path)", code: errno)
        }
    }

    /// Removes a folder with all pins and folders in it. Nothing happens if it is not there.
    package static func removeFolder(_ path: String) throws(BPFError) {
        for entry in entries(of: path) {
            // A pin is no folder, which opendir says.
            if unsafe unlink("\(path)/\(entry)") != 0, errno == EISDIR || errno == EPERM {
                try removeFolder("\(path)/\(entry)")
            }
        }
        guard unsafe rmdir(path) == 0 || errno == ENOENT else {
            throw BPFError("removing the folder \(path)", code: errno)
        }
    }
}
