import Glibc

/// Keeps other forwarders from making a socket at the same path while this one looks whether there is one.
///
/// It is a file of ours that only we can open, beside the socket and for a moment: a lock on the folder itself
/// could be taken, and kept, by whoever may read the folder. In a folder that anybody may write to there is no such
/// file, and anybody could put a socket of theirs in the place of ours; so it is refused.
struct ControlLock: ~Copyable {
    private let descriptor: Int32
    private let path: String

    /// Waits for a second at most, which is far longer than anybody needs it.
    init(of socket: String) throws(ServiceError) {
        try Self.checkFolder(of: socket)
        let path = socket + ".lock"
        for _ in 0..<100 {
            let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw .notPermitted(
                    "a control socket at \(socket.quoted)",
                    needs:
                        "permission to write to its folder and to \(path.quoted) (\(ServiceError.text(of: errno)))"
                )
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                // Else whoever had it before has removed it, and a third one may hold a new one.
                if FileIdentity(of: descriptor) == FileIdentity(of: path) {
                    (self.descriptor, self.path) = (descriptor, path)
                    return
                }
            } else {
                usleep(10_000)
            }
            close(descriptor)
        }
        throw .lockHeld(path: socket, lock: path)
    }

    /// Those who wait find that the file is gone, and make a new one.
    deinit {
        unsafe unlink(path)
        close(descriptor)
    }

    /// Throws if the socket can't be there.
    ///
    /// - Parameter makes: whether a folder in /run that is missing is made, or only found to be no obstacle.
    static func checkFolder(of socket: String, makes: Bool = true) throws(ServiceError) {
        let folder = Self.folder(of: socket)
        var facts = stat()
        var code: Int32 = unsafe stat(folder, &facts) == 0 ? 0 : errno
        if code == ENOENT, Self.folder(of: folder) == "/run" {
            // As systemd's RuntimeDirectory= does: /run is empty after each boot. Elsewhere a folder that is missing
            // is a mistake. Another one that starts at this moment may have been first.
            guard makes else { return }
            code = unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST ? 0 : errno
            if code == 0, unsafe stat(folder, &facts) != 0 { code = errno }
        }
        if code == EACCES {
            throw .notPermitted(
                "a control socket at \(socket.quoted)",
                needs: "permission to enter \(folder.quoted), or to create it")
        }
        guard code == 0, facts.st_mode & S_IFMT == S_IFDIR else {
            throw .noFolder(path: socket, folder: folder)
        }
        guard facts.st_mode & S_IWOTH == 0 else { throw .openFolder(path: socket, folder: folder) }
    }

    private static func folder(of path: String) -> String {
        let end = path.lastIndex(of: "/") ?? path.startIndex
        return end == path.startIndex ? "/" : String(path[..<end])
    }
}
