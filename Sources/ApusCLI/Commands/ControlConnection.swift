import Apus
import ApusRuntime
import CLinux
import Glibc

/// A connection to the control socket of a running forwarder.
struct ControlConnection: ~Copyable {
    /// How long a forwarder may take to accept the connection, in seconds.
    private static let patience = 5
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
        setPatience(Self.patience)
        guard connectUnixSocket(descriptor, path) == 0 else { throw Self.failure(errno, path) }
    }

    /// How long it waits for each part that is sent or received, in seconds.
    private func setPatience(_ seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        // Sound: the value is copied before the call returns.
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = unsafe setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
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
        // Its queue of clients is full, and none is accepted in time.
        case EAGAIN: silence(path, process: nil)
        case ENAMETOOLONG: ExitFailure(.usage, "the path of a socket has at most 107 bytes")
        default: ExitFailure(.unavailable, "cannot connect to \(path.quoted): \(text(of: code))")
        }
    }

    /// What to say of a forwarder that accepts nothing and answers nothing.
    private static func silence(_ path: String, process: Int32?) -> ExitFailure {
        let name = process.map { "process \($0)" } ?? "its process"
        let command = process.map { ": ps -o stat=,wchan= -p \($0)" } ?? ""
        return ExitFailure(
            .unavailable, "the forwarder at \(path.quoted) does not answer",
            wayOut: "See whether \(name) is stopped or hangs\(command)")
    }

    /// The process at the other end, unless the kernel does not tell.
    private var process: Int32? {
        PeerCredentials(of: descriptor).map(\.process).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Whether there is a socket; connect(2) says of other files what it says of one that nobody serves.
    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return unsafe stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }

    /// Sends a command and returns the line that answers it, or gives up after so many seconds without a part of it.
    func ask(_ command: String, within seconds: Int) throws(ExitFailure) -> String {
        setPatience(seconds)
        let line = Array((command + "\n").utf8)
        // Sound: the array outlives the call. Few bytes on a new connection are sent whole.
        unsafe line.withUnsafeBytes {
            _ = unsafe send(descriptor, $0.baseAddress, $0.count, APUS_MSG_NOSIGNAL)
        }
        // A forwarder that turns a client away says so before it is asked, so that what was sent does not count.
        var answer: [UInt8] = []
        while answer.last != UInt8(ascii: "\n"), answer.count <= Self.mostBytes {
            let part = receive()
            if part == nil, errno == EAGAIN { throw Self.silence(path, process: process) }
            guard let part, !part.isEmpty else { break }
            answer += part
        }
        guard answer.last == UInt8(ascii: "\n") else {
            throw ExitFailure(.unavailable, "the forwarder at \(path.quoted) has hung up without an answer")
        }
        return String(decoding: answer.dropLast(), as: UTF8.self)
    }

    /// Waits until the forwarder has ended, which closes the connection.
    func waitForEnd() throws(ExitFailure) {
        while true {
            guard let part = receive() else {
                // A connection that breaks is closed too.
                guard errno == EAGAIN else { return }
                throw ExitFailure(
                    .unavailable, "the forwarder at \(path.quoted) was told to stop, and has not ended yet",
                    wayOut: "See what \(process.map { "process \($0)" } ?? "its process") waits for")
            }
            if part.isEmpty { return }
        }
    }

    /// What has come, nothing at the end; nil if nothing comes in time, which is EAGAIN, or the connection is broken.
    private func receive() -> [UInt8]? {
        var code: Int32 = 0
        // Sound: the kernel fills in at most as many bytes as there is room for, and says how many.
        let part = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            let got = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if got < 0 { code = errno }
            count = max(0, got)
        }
        errno = code
        return code == 0 ? part : nil
    }

    private static func text(of code: Int32) -> String {
        // strerror(3) gives a constant or the thread's own text, which is copied at once.
        unsafe String(cString: strerror(code))
    }
}
