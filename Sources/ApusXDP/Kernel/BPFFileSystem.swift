import CXDP
import Glibc

/// The BPF file system, where maps and programs are pinned so that they outlive the process that made them.
///
/// Where it was mounted without `mode=0700` everybody may make folders and links in it, so a folder of ours is only used
/// when ``isOwn(_:)`` says that nobody else can change it.
package enum BPFFileSystem {
    /// Where it is: /sys/fs/bpf, or what LIBXDP_BPFFS says, as for libxdp.
    package static var root: String { LibXDP.bpfFileSystem }

    /// Whether one is mounted there.
    package static var isMounted: Bool { apus_xdp_has_bpffs() != 0 }

    /// The command that mounts one which is nobody's but the owner's.
    package static func mountCommand(at root: String = root) -> String {
        "mount -t bpf -o mode=0700 bpf \(root)"
    }

    /// The command by which root gives this user a folder in one that is root's, and the way to it; lasts until a reboot. It fails
    /// where that folder is there, out of this user's sight: something of root's may be in it.
    package static func grantCommand(_ folder: String) -> String {
        let path = "\(root)/\(folder)"
        return "mkdir -m 700 \(path) && chown \(geteuid()) \(path) && chmod o+x \(root)"
    }

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

    /// Opens what is pinned at a path, a map or a program by the word: a descriptor of it.
    static func openPin(_ path: String, _ what: String) throws(BPFError) -> Int32 {
        // Sound: the path ends with a zero.
        let descriptor = unsafe bpf_obj_get(path)
        guard descriptor >= 0 else { throw BPFError("opening the pinned \(what) \(path)", code: errno) }
        return descriptor
    }

    /// The same; nil when nothing is there.
    static func openPinIfThere(_ path: String, _ what: String) throws(BPFError) -> Int32? {
        do throws(BPFError) {
            return try openPin(path, what)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
    }

    /// Makes a folder in it and those above, for the owner alone, and gives its path: `makeFolder("apus/filter")`.
    /// Those that are there must be our own, see ``isOwn(_:)``.
    package static func makeFolder(_ folder: String) throws(BPFError) -> String {
        guard isMounted else {
            throw BPFError(
                "pinning in \(root)", code: ENOENT,
                detail: "no BPF file system is mounted there (\(mountCommand()))")
        }
        try checkRoot()
        var path = root
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            // Sound: the path ends with a zero.
            if unsafe mkdir(path, S_IRWXU) == 0 { continue }
            guard errno == EEXIST else { throw BPFError("making the folder \(path)", code: errno) }
            // Who removed it meanwhile is told by the next one.
            _ = try check(path, isRoot: false)
        }
        return path
    }

    /// Whether a folder in it is there, as `apus/filter`, and it and those above are real folders of this user or of root,
    /// which nobody else can change; throws where they are not, and where this process may not look.
    package static func isOwn(_ folder: String) throws(BPFError) -> Bool {
        try checkRoot()
        var path = root
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            guard try check(path, isRoot: false) else { return false }
        }
        return true
    }

    private static func checkRoot() throws(BPFError) { _ = try check(root, isRoot: true) }

    /// Sound as long as those above were checked first: nobody else can put another one in the place of what is ours.
    private static func check(_ path: String, isRoot: Bool) throws(BPFError) -> Bool {
        var facts = stat()
        // Sound: the kernel writes the struct.
        guard unsafe (isRoot ? stat(path, &facts) : lstat(path, &facts)) == 0 else {
            switch errno {
            case ENOENT: return false
            case EACCES: throw outOfSight(path)
            case let code: throw BPFError("looking at \(path)", code: code)
            }
        }
        let trouble: String
        if facts.st_mode & S_IFMT != S_IFDIR {
            trouble = "it is no folder; remove it"
        } else if facts.st_uid != 0 && facts.st_uid != geteuid() {
            trouble =
                "it belongs to the user with the number \(facts.st_uid), who could change what is kept there; "
                + "run this as that user, or, once that user has unloaded what is kept there, have root remove it: "
                + "`\(removal(of: path))`"
        } else if facts.st_mode & (S_IWGRP | S_IWOTH) != 0 && !(isRoot && facts.st_mode & S_ISVTX != 0) {
            trouble = "others may write to it; `chmod go-w \(path)` if nobody has changed it, or remove it"
        } else {
            return true
        }
        throw BPFError("using the folder \(path)", code: EPERM, detail: trouble)
    }

    /// The command that removes what belongs to somebody else; where everybody may make folders, none is made again.
    private static func removal(of path: String) -> String {
        var facts = stat()
        // Sound: the kernel writes the struct.
        let isOpen = unsafe stat(root, &facts) == 0 && facts.st_mode & (S_IWGRP | S_IWOTH) != 0
        return (isOpen ? "chmod go-w \(root) && " : "") + "rm -r \(path)"
    }

    private static func outOfSight(_ path: String) -> BPFError {
        let parts = path.dropFirst(root.utf8.count).split(separator: "/")
        // What is below the first folder is out of sight as that one is there, and root's.
        let grant =
            parts.count == 1
            ? ", or have root make a folder of yours: `\(grantCommand(String(parts[0])))`" : ""
        return BPFError(
            "looking at \(path)", code: EPERM,
            detail: "what is kept there belongs to root; run this as root" + grant)
    }

    /// What is in a folder, sorted; nothing where there is no such folder.
    package static func entries(of path: String) throws(BPFError) -> [String] {
        guard let folder = try open(path, in: AT_FDCWD, path) else { return [] }
        return try entries(of: folder, path)
    }

    /// Opens a folder, no link to one; nil when it is not there.
    private static func open(
        _ name: String, in parent: Int32, _ path: String
    ) throws(BPFError) -> Int32? {
        // Sound: the name ends with a zero.
        let folder = unsafe openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if folder >= 0 { return folder }
        switch errno {
        case ENOENT: return nil
        case EACCES: throw outOfSight(path)
        case let code: throw BPFError("opening the folder \(path)", code: code)
        }
    }

    /// What is in an open folder, which is closed.
    private static func entries(of folder: Int32, _ path: String) throws(BPFError) -> [String] {
        guard let stream = unsafe fdopendir(folder) else {
            let code = errno
            close(folder)
            throw BPFError("reading the folder \(path)", code: code)
        }
        // Sound: the stream is open until then, and an entry is read before the next one is asked for.
        defer { unsafe closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = unsafe readdir(stream) {
            let name = unsafe string(of: entry.pointee.d_name)
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw BPFError("reading the folder \(path)", code: errno) }
        return names.sorted()
    }

    /// Puts a pin in the place of another one in a single step.
    package static func move(_ path: String, to other: String) throws(BPFError) {
        // Sound: both names end with a zero.
        guard unsafe rename(path, other) == 0 else {
            throw BPFError("moving the pin \(path) to \(other)", code: errno)
        }
    }

    /// Removes a pin. What it held lives on while anybody else holds it. Nothing happens if it is not there.
    package static func unpin(_ path: String) throws(BPFError) {
        // Sound: the name ends with a zero.
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw BPFError("removing the pin \(path)", code: errno)
        }
    }

    /// Removes a folder with all pins and folders in it; of a link to one, the link. Nothing happens if it is not there.
    package static func removeFolder(_ path: String) throws(BPFError) {
        try remove(path, in: AT_FDCWD, path)
    }

    /// From folder to folder by descriptors: nobody can put a link to elsewhere in the place of one that is open.
    private static func remove(_ name: String, in parent: Int32, _ path: String) throws(BPFError) {
        // A pin, or a link. Sound: the name ends with a zero.
        if unsafe unlinkat(parent, name, 0) == 0 { return }
        switch errno {
        case ENOENT: return
        // A folder; the latter is what POSIX wants.
        case EISDIR, EPERM: break
        case let code: throw BPFError("removing the pin \(path)", code: code)
        }
        guard let folder = try open(name, in: parent, path) else { return }
        defer { close(folder) }
        let listed = fcntl(folder, F_DUPFD_CLOEXEC, 3)
        guard listed >= 0 else { throw BPFError("reading the folder \(path)", code: errno) }
        for entry in try entries(of: listed, path) { try remove(entry, in: folder, "\(path)/\(entry)") }
        // Sound: the name ends with a zero.
        guard unsafe unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw BPFError("removing the folder \(path)", code: errno)
        }
    }
}
