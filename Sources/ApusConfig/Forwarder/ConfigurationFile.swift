import Glibc

/// Why a configuration cannot be had from a file.
public enum ConfigurationFileError: Error, Sendable, CustomStringConvertible {
    /// The file cannot be read; the `errno` says why.
    case unreadable(file: String, code: Int32)
    /// It was read, and something is wrong with it.
    case invalid(ConfigurationErrors)

    /// What is wrong, and where.
    public var description: String {
        switch self {
        case .unreadable(let file, let code):
            "cannot read the configuration \(file.quoted): \(Self.reason(code))"
        case .invalid(let errors): errors.description
        }
    }

    /// The reason, and the way out where it does not go without saying.
    private static func reason(_ code: Int32) -> String {
        switch code {
        case EISDIR: "it is a folder; name the file in it"
        case ENODEV: "it is a device; name a file, a pipe, or - for standard input"
        case ETIME: "it is a pipe, and its end did not come within \(ConfigurationSource.pipeSeconds) seconds"
        case EACCES, EPERM:
            "\(systemMessage(code)); give the user who runs this the right to read it, and to enter its folder"
        default: systemMessage(code)
        }
    }
}

extension ForwarderConfiguration {
    /// Reads and validates the configuration in a file, or in standard input where `file` is `-`. No more is read of
    /// it than a configuration may have. A pipe has five seconds to come to its end, and a device is refused; only
    /// standard input is waited for without a limit.
    public init(file: String) throws(ConfigurationFileError) {
        let source = try ConfigurationSource(file: file, limit: JSON5Limits().bytes)
        do {
            try self.init(parsing: source)
        } catch {
            throw .invalid(error)
        }
    }
}

extension ConfigurationSource {
    /// Reads a file, but at most one byte more than `limit`, so that the reader sees that it is too long.
    init(file: String, limit: Int) throws(ConfigurationFileError) {
        let isInput = file == "-"
        let descriptor =
            isInput ? STDIN_FILENO : unsafe open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .unreadable(file: file, code: errno) }
        defer { if !isInput { close(descriptor) } }
        let isPipe = isInput ? false : try Self.isPipe(descriptor, file)
        let start = ContinuousClock.now
        var bytes: [UInt8] = []
        var failure: Int32 = 0
        while bytes.count <= limit, failure == 0 {
            if isPipe, !Self.isReady(descriptor, until: start + .seconds(Self.pipeSeconds)) {
                failure = ETIME
                break
            }
            let room = min(64 << 10, limit + 1 - bytes.count)
            // The closure writes at most `room` bytes, and says how many read(2) filled.
            let part = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let got = unsafe read(descriptor, buffer.baseAddress, room)
                if got < 0 { failure = errno }
                count = max(0, got)
            }
            if failure == EINTR || (isPipe && failure == EAGAIN) { failure = 0; continue }
            if part.isEmpty { break }
            bytes += part
        }
        let name = isInput ? "standard input" : file
        guard failure == 0 else { throw .unreadable(file: name, code: failure) }
        self.init(name: name, bytes: bytes)
    }

    /// How long a pipe may take to its end: a reload must not keep the forwarder from its other work.
    static let pipeSeconds = 5

    /// Whether it is a pipe, which may keep its reader waiting; throws for a device, which may do anything.
    private static func isPipe(_ descriptor: Int32, _ file: String) throws(ConfigurationFileError) -> Bool {
        var status = stat()
        // The kernel fills in the structure, or the call fails.
        guard unsafe fstat(descriptor, &status) == 0 else { throw .unreadable(file: file, code: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return false
        case S_IFIFO: return true
        case S_IFDIR: throw .unreadable(file: file, code: EISDIR)
        default: throw .unreadable(file: file, code: ENODEV)
        }
    }

    /// Waits until a pipe has bytes or its end; false if the time came first.
    private static func isReady(_ descriptor: Int32, until end: ContinuousClock.Instant) -> Bool {
        while true {
            let left = (end - .now).components
            let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return false }
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // The structure outlives the call.
            if unsafe poll(&polled, 1, Int32(clamping: milliseconds)) > 0 { return true }
        }
    }
}

/// The system's words for an error number. strerror(3) is safe here: glibc gives a constant or the thread's own text.
private func systemMessage(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }
