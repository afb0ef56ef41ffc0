import Glibc

/// A socket that is bound to an address, and is closed with it.
struct BoundSocket: ~Copyable, Sendable {
    let descriptor: CInt

    /// Opens it in the network namespace of the calling thread.
    ///
    /// - Parameters:
    ///   - address: what the kernel knows by the name of the family: a `sockaddr_in6`, a `sockaddr_ll`.
    ///   - name: what that is, for the error.
    init<Address>(_ family: CInt, _ type: CInt, to address: Address, _ name: String) throws {
        descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw LabError.call("socket for \(name)", errno) }
        let code = unsafe withUnsafeBytes(of: address) { bytes in
            // Sound: the kernel reads as many octets as the struct has.
            unsafe bind(
                descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), UInt32(bytes.count))
        }
        guard code == 0 else { throw LabError.call("bind to \(name)", errno) }
    }

    deinit { close(descriptor) }
}
