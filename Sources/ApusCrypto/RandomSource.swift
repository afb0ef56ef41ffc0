import Glibc

/// Where keys come from: the system, but for simulations and tests, whose every run is to be repeated.
public protocol RandomSource: ~Copyable {
    /// Fills octets with random ones.
    mutating func fill(_ octets: inout MutableRawSpan)
}

/// The kernel's generator (getentropy(3)): no state in this process that could leak or be forked.
public struct SystemRandom: RandomSource, Sendable {
    /// A source; all are the same.
    public init() {}

    /// Fills octets with random ones. It stops the program if the kernel gives none, which it does for no reason.
    public mutating func fill(_ octets: inout MutableRawSpan) {
        // Sound: so many octets are there from each place on. It takes 256 at a time.
        unsafe octets.withUnsafeMutableBytes { buffer in
            for offset in stride(from: 0, to: buffer.count, by: 256) {
                let part = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: buffer[offset..<min(offset + 256, buffer.count)])
                let result = unsafe getentropy(part.baseAddress, part.count)
                precondition(result == 0, "getentropy: error \(errno)")
            }
        }
    }
}
