import ApusConfig
import CLinux
import Glibc

/// The process at the other end of a UNIX socket, as it was when it connected.
package struct PeerCredentials: Equatable, Sendable {
    package var process: Int32
    package var user: UInt32

    /// Nil if the socket has no other end.
    package init?(of descriptor: Int32) {
        var (process, user): (pid_t, uid_t) = (0, 0)
        // Sound: both numbers are written before the call returns.
        guard unsafe apus_peer_credentials(descriptor, &process, &user) == 0 else { return nil }
        (self.process, self.user) = (process, user)
    }
}

/// Which file it is, whatever its name.
struct FileIdentity: Equatable {
    private var device: dev_t
    private var inode: ino_t

    init?(of path: String) {
        var facts = stat()
        guard unsafe lstat(path, &facts) == 0 else { return nil }
        (device, inode) = (facts.st_dev, facts.st_ino)
    }

    init?(of descriptor: Int32) {
        var facts = stat()
        guard unsafe fstat(descriptor, &facts) == 0 else { return nil }
        (device, inode) = (facts.st_dev, facts.st_ino)
    }
}

/// bind(2) to a path of the file system; fails with ENAMETOOLONG if it has more than 107 bytes.
func bindUnixSocket(_ descriptor: Int32, _ path: String) -> Int32 {
    unsafe withUnixAddress(path) { unsafe bind(descriptor, $0, $1) }
}

/// connect(2) to a path of the file system; fails with ENAMETOOLONG if it has more than 107 bytes.
package func connectUnixSocket(_ descriptor: Int32, _ path: String) -> Int32 {
    unsafe withUnixAddress(path) { unsafe connect(descriptor, $0, $1) }
}

private func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32) -> Int32
{
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // Sound: the path is shorter than its place, whose last byte stays 0.
    let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
        guard path.utf8.count < place.count else { return false }
        unsafe place.copyBytes(from: path.utf8)
        return true
    }
    guard fits else {
        errno = ENAMETOOLONG
        return -1
    }
    return unsafe withUnsafeBytes(of: &address) { bytes in
        unsafe body(bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
    }
}
