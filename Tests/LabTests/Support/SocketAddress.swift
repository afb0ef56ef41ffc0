import CLinux
import Glibc
import NetworkLab

/// An address as the kernel takes it (struct sockaddr_in, sockaddr_in6, sockaddr_un).
struct SocketAddress: Sendable {
    let family: CInt
    let octets: [UInt8]

    /// Of an IPv4 or IPv6 address in digits.
    init(_ address: String, _ port: Int) throws {
        family = address.contains(":") ? AF_INET6 : AF_INET
        var digits = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        guard unsafe inet_pton(family, address, &digits) == 1 else {
            throw LabError("\(address): no address")
        }
        let place = [UInt8(port >> 8), UInt8(port & 0xff)]
        let zeros = { [UInt8](repeating: 0, count: $0) }
        octets =
            Self.octets(of: family) + place
            + (family == AF_INET ? digits + zeros(8) : zeros(4) + digits + zeros(4))
    }

    /// Of a UNIX socket.
    init(path: String) {
        family = AF_UNIX
        octets = Self.octets(of: family) + Array(path.utf8) + [0]
    }

    private static func octets(of family: CInt) -> [UInt8] { [UInt8(family & 0xff), UInt8(family >> 8)] }

    /// Lends it to a system call.
    func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        // Sound: the octets outlive the call, and the kernel reads as many as it is told.
        unsafe octets.withUnsafeBytes {
            unsafe body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
    }
}

/// A socket descriptor that is closed with its last user.
final class Descriptor: Sendable {
    let number: CInt

    init(_ family: CInt, _ kind: CInt) throws {
        number = socket(family, kind | APUS_SOCK_CLOEXEC, 0)
        guard number >= 0 else { throw LabError.system("socket") }
    }

    init(taking number: CInt) { self.number = number }

    deinit { close(number) }

    func bind(_ address: SocketAddress) throws {
        let result = unsafe address.withPointer { unsafe Glibc.bind(number, $0, $1) }
        guard result == 0 else { throw LabError.system("bind") }
    }

    func connect(_ address: SocketAddress) throws {
        let result = unsafe address.withPointer { unsafe Glibc.connect(number, $0, $1) }
        guard result == 0 else { throw LabError.system("connect") }
    }

    func set(_ level: CInt, _ option: CInt, _ value: CInt) {
        var value = value
        unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Whether something can be read within the time.
    func isReadable(within milliseconds: CInt) -> Bool {
        var waiting = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&waiting, 1, milliseconds) == 1
    }

    /// What can be read at once, at most `count` octets; nil at the end or on an error.
    func read(_ count: Int) -> [UInt8]? {
        var length = 0
        let octets = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            length = unsafe recv(number, buffer.baseAddress, count, 0)
            filled = max(0, length)
        }
        return length > 0 ? octets : nil
    }

    func write(_ octets: [UInt8]) throws {
        let count = unsafe octets.withUnsafeBytes {
            unsafe Glibc.send(number, $0.baseAddress, $0.count, APUS_MSG_NOSIGNAL)
        }
        guard count == octets.count else { throw LabError.system("send") }
    }
}

extension LabError {
    static func system(_ call: String) -> LabError {
        LabError("\(call): \(unsafe String(cString: strerror(errno)))")
    }
}

/// A client of the control socket.
struct ControlClient {
    private let descriptor: Descriptor

    init(_ path: String) throws {
        descriptor = try Descriptor(AF_UNIX, APUS_SOCK_STREAM)
        try descriptor.connect(SocketAddress(path: path))
    }

    /// Asks, and waits for the line of the answer.
    func ask(_ command: String, within milliseconds: CInt = 10_000) throws -> [UInt8] {
        try descriptor.write(Array("\(command)\n".utf8))
        var answer: [UInt8] = []
        while answer.last != UInt8(ascii: "\n") {
            guard descriptor.isReadable(within: milliseconds), let part = descriptor.read(1 << 16) else {
                throw LabError("\(command): the control socket has not answered: \(answer.count) octets")
            }
            answer += part
        }
        return answer
    }
}
