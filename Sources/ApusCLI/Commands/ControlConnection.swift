import Apus
import ApusRuntime
import CLinux
import Glibc

/// A connection to the control socket of a running forwarder.
struct ControlConnection: ~Copyable {
    /// How long a forwarder may take for an answer, or a part of it, in seconds.
    private static let patience = 60
    /// The longest answer that is read, in bytes: a status of a million streams has some 500 a stream.
    private static let mostBytes = 1 << 30

    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws(ExitFailure) {
        let descriptor = socket(AF_UNIX, CInt(APUS_SOCK_STREAM | APUS_SOCK_CLOEXEC), 0)
        self.path = path
        self.descriptor = descriptor
        guard descriptor >= 0 else {
            throw ExitFailure(.unavailable, "no socket can be opened: \(Self.text(of: errno))")
        }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        // Sound: the value is copied before the call returns.
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = unsafe setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard connectUnixSocket(descriptor, path) == 0 else { throw Self.failure(errno, path) }
    }

    deinit { close(descriptor) }

    private static func failure(_ code: Int32, _ path: String) -> ExitFailure {
        switch code {
        case ENOENT, ENOTDIR:
            ExitFailure(
                .noInput, "there is no control socket \(path.quoted)",
                wayOut: "A forwarder makes one if its configuration says so, or apus forward --control PATH.")
        case ECONNREFUSED:
            isSocket(path)
                ? ExitFailure(.unavailable, "no forwarder serves \(path.quoted) any more")
                : ExitFailure(
                    .noInput, "\(path.quoted) is no control socket",
                    wayOut:
                        "The path is the one of control in the configuration, or of apus forward --control.")
        case EACCES, EPERM:
            ExitFailure(
                .notPermitted, "you may not use the control socket \(path.quoted)",
                wayOut:
                    "It is for those whom its mode and group let in; see mode and group of the configuration."
            )
        case ENAMETOOLONG: ExitFailure(.usage, "the path of a socket has at most 107 bytes")
        default: ExitFailure(.unavailable, "cannot connect to \(path.quoted): \(text(of: code))")
        }
    }

    /// Whether there is a socket; connect(2) says of other files what it says of one that nobody serves.
    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return unsafe stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }

    /// Sends a command and returns the line that answers it.
    func ask(_ command: String) throws(ExitFailure) -> String {
        let line = Array((command + "\n").utf8)
        // Sound: the array outlives the call. Few bytes on a new connection are sent whole.
        unsafe line.withUnsafeBytes {
            _ = unsafe send(descriptor, $0.baseAddress, $0.count, APUS_MSG_NOSIGNAL)
        }
        // A forwarder that turns a client away says so before it is asked, so that what was sent does not count.
        var answer: [UInt8] = []
        while answer.last != UInt8(ascii: "\n"), answer.count <= Self.mostBytes {
            guard let part = receive(), !part.isEmpty else { break }
            answer += part
        }
        guard answer.last == UInt8(ascii: "\n") else {
            throw ExitFailure(.unavailable, "the forwarder at \(path.quoted) has not answered")
        }
        return String(decoding: answer.dropLast(), as: UTF8.self)
    }

    /// Waits until the forwarder has ended, which closes the connection.
    func waitForEnd() { while let part = receive(), !part.isEmpty {} }

    /// What has come, nothing at the end; nil if nothing comes in time, or the connection is broken.
    private func receive() -> [UInt8]? {
        var failed = false
        // Sound: the kernel fills in at most as many bytes as there is room for, and says how many.
        let part = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            let got = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
            failed = got < 0
            count = max(0, got)
        }
        return failed ? nil : part
    }

    private static func text(of code: Int32) -> String {
        // strerror(3) gives a constant or the thread's own text, which is copied at once.
        unsafe String(cString: strerror(code))
    }
}
