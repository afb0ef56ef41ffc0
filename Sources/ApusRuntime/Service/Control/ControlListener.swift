import ApusConfig
import CLinux
import Glibc

/// A UNIX stream socket that listens in the file system, and takes its file away when it goes.
///
/// The file is never open to more than the configuration says, whatever the umask: it is made for its owner
/// alone, then given to the group, then to the mode's others. A file left by a process that is gone is
/// replaced; the socket of one that runs is not, nor is anything else.
struct ControlListener: ~Copyable {
    /// The descriptor; the socket does not block.
    let descriptor: Int32
    /// Where and for whom it is.
    private(set) var configuration: ControlConfiguration
    private let file: FileIdentity

    init(_ configuration: ControlConfiguration) throws(ServiceError) {
        let group = try configuration.group.map { name throws(ServiceError) in try Self.group(name) }
        let lock = try ControlLock(of: configuration.socket)
        try Self.removeStale(configuration.socket)
        let descriptor = try Self.open(configuration.socket)
        do throws(ServiceError) {
            file = try Self.bind(descriptor, configuration, group)
        } catch {
            close(descriptor)
            throw error
        }
        (self.configuration, self.descriptor) = (configuration, descriptor)
        _ = consume lock
    }

    deinit {
        // Only what was made here: somebody else may have put a file of that name in its place since.
        if FileIdentity(of: configuration.socket) == file { unsafe unlink(configuration.socket) }
        close(descriptor)
    }

    /// Throws why there can be no socket at all, without making or asking for one: no such group, no folder, one that
    /// anybody may write to, or another file in its place.
    static func check(_ configuration: ControlConfiguration) throws(ServiceError) {
        if let name = configuration.group { _ = try group(name) }
        try ControlLock.checkFolder(of: configuration.socket, makes: false)
        var facts = stat()
        if unsafe lstat(configuration.socket, &facts) == 0, facts.st_mode & S_IFMT != S_IFSOCK {
            throw .notASocket(path: configuration.socket)
        }
    }

    /// Whether a path leads to its file.
    func isFile(at path: String) -> Bool { FileIdentity(of: path) == file }

    /// Gives the file to another group, or another mode; the path may be another one of the same file.
    mutating func change(to other: ControlConfiguration) throws(ServiceError) {
        let group = try other.group.map { name throws(ServiceError) in try Self.group(name) }
        // Back to the process's own, when the configuration names none any more.
        let isGiven = configuration.group != nil
        try Self.give(
            other.socket, file, to: group ?? (isGiven ? getegid() : nil), mode: other.mode)
        configuration = other
    }

    private static func open(_ path: String) throws(ServiceError) -> Int32 {
        let kind = CInt(APUS_SOCK_STREAM | APUS_SOCK_CLOEXEC | APUS_SOCK_NONBLOCK)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .systemCall("socket for \(path)", errno) }
        // bind(2) gives the file the mode of the socket, less the umask (unix_bind_bsd() in net/unix/af_unix.c).
        guard fchmod(descriptor, 0o600) == 0 else {
            let code = errno
            close(descriptor)
            throw .systemCall("fchmod of \(path)", code)
        }
        return descriptor
    }

    private static func bind(
        _ descriptor: Int32, _ configuration: ControlConfiguration, _ group: gid_t?
    ) throws(ServiceError) -> FileIdentity {
        let path = configuration.socket
        guard bindUnixSocket(descriptor, path) == 0 else { throw bindError(errno, path) }
        do throws(ServiceError) {
            guard let file = FileIdentity(of: path) else { throw .systemCall("lstat \(path)", errno) }
            try give(path, file, to: group, mode: configuration.mode)
            guard listen(descriptor, 16) == 0 else { throw .systemCall("listen on \(path)", errno) }
            return file
        } catch {
            unsafe unlink(path)
            throw error
        }
    }

    private static func bindError(_ code: Int32, _ path: String) -> ServiceError {
        switch code {
        case EACCES, EPERM, EROFS:
            .notPermitted("a control socket at \(path.quoted)", needs: "permission to write to its folder")
        default: .systemCall("bind \(path)", code)
        }
    }

    /// Makes room at `path` if what stands there was left behind.
    private static func removeStale(_ path: String) throws(ServiceError) {
        var facts = stat()
        guard unsafe lstat(path, &facts) == 0 else { return }
        guard facts.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = socket(
            AF_UNIX, CInt(APUS_SOCK_STREAM | APUS_SOCK_CLOEXEC | APUS_SOCK_NONBLOCK), 0)
        guard probe >= 0 else { throw .systemCall("socket", errno) }
        defer { close(probe) }
        // Refused is what a socket says whose process is gone; a queue that is full belongs to one that lives.
        guard connectUnixSocket(probe, path) != 0, errno == ECONNREFUSED else {
            throw .socketInUse(path: path, process: PeerCredentials(of: probe)?.process)
        }
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw .notPermitted(
                "the socket \(path.quoted), which is left over,", needs: "to be removed by its owner")
        }
    }

    /// Gives the socket to a group, and changes its mode: through a descriptor of that very file, since who may
    /// write to the folder may have put something else, or a symbolic link to it, in its place.
    private static func give(
        _ path: String, _ file: FileIdentity, to group: gid_t?, mode: FileMode
    ) throws(ServiceError) {
        let descriptor = unsafe Glibc.open(path, Int32(APUS_O_PATH) | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .systemCall("open \(path)", errno) }
        defer { close(descriptor) }
        guard FileIdentity(of: descriptor) == file else { throw .socketReplaced(path: path) }
        let same = "/proc/self/fd/\(descriptor)"
        if let group, unsafe chown(same, .max, group) != 0 {
            throw .notPermitted(
                "giving the control socket \(path.quoted) to its group",
                needs: "membership in it, or CAP_CHOWN")
        }
        guard unsafe chmod(same, mode.bits) == 0 else { throw .systemCall("chmod \(path)", errno) }
    }

    private static func group(_ name: String) throws(ServiceError) -> gid_t {
        var entry = unsafe Glibc.group()
        var found: UnsafeMutablePointer<Glibc.group>?
        // Sound: the entry's texts live in the buffer, and only its number is read.
        let code = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 << 10) { buffer in
            unsafe getgrnam_r(name, &entry, buffer.baseAddress!, buffer.count, &found)
        }
        guard code == 0, unsafe found != nil else { throw .noSuchGroup(name) }
        return unsafe entry.gr_gid
    }
}
