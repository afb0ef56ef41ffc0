import CLinux
import Glibc

/// Something that one program of Apus's at a time may do with an interface, claimed for as long as this lives.
///
/// It is a UNIX socket by an abstract name (unix(7)): each network namespace has names of its own, no file is left behind, and
/// the kernel takes it back when the process ends, however that ends. Programs that are not of Apus don't know of it.
public final class InterfaceClaim: Sendable {
    private let descriptor: Int32

    /// Claims a purpose on the interface with an index.
    ///
    /// - Parameter purpose: what tells it from other claims on the interface: at most 64 octets.
    /// - Throws: ``Refusal``, with who has it.
    public init(_ purpose: String, on index: UInt32) throws(Refusal) {
        precondition(purpose.utf8.count <= 64, "the purpose of a claim has 64 octets at most")
        let name = "apus/\(purpose)/\(index)"
        let descriptor = socket(AF_UNIX, APUS_SOCK_DGRAM | APUS_SOCK_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .failed(errno) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Sound: the name is shorter than its place. The zero before it makes it abstract.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
            unsafe UnsafeMutableRawBufferPointer(rebasing: place.dropFirst()).copyBytes(from: name.utf8)
        }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + 1 + name.utf8.count
        let result = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe bind(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(length))
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw code == EADDRINUSE ? .taken(by: Self.holder(of: name)) : .failed(code)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Why it can't be had.
    public enum Refusal: Error, Hashable, Sendable {
        /// A process has it; nil where this one may not know which.
        case taken(by: PortHolder?)
        /// A system call failed with this `errno`.
        case failed(Int32)
    }

    /// Who has bound the name: `Num RefCount Protocol Flags Type St Inode @name` (proc(5), /proc/net/unix).
    private static func holder(of name: String) -> PortHolder? {
        // Of the calling thread: another one may be in another namespace.
        let lines = (contents(of: "/proc/thread-self/net/unix") ?? "").split(separator: "\n")
        let inodes = lines.compactMap { line -> UInt64? in
            let fields = line.split(separator: " ")
            return fields.count == 8 && fields[7] == "@\(name)" ? UInt64(fields[6]) : nil
        }
        return PortHolder.find(inodes: Set(inodes))
    }
}
