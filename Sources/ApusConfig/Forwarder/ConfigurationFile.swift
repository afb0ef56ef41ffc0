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
        case EACCES, EPERM:
            "\(systemMessage(code)); give the user who runs this the right to read it, and to enter its folder"
        default: systemMessage(code)
        }
    }
}

extension ForwarderConfiguration {
    /// Reads and validates the configuration in a file, or in standard input where `file` is `-`. No more is read of
    /// it than a configuration may have.
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
        let descriptor = isInput ? STDIN_FILENO : unsafe open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(file: file, code: errno) }
        defer { if !isInput { close(descriptor) } }
        var bytes: [UInt8] = []
        var failure: Int32 = 0
        while bytes.count <= limit, failure == 0 {
            let room = min(64 << 10, limit + 1 - bytes.count)
            // The closure writes at most `room` bytes, and says how many read(2) filled.
            let part = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let got = unsafe read(descriptor, buffer.baseAddress, room)
                if got < 0 { failure = errno }
                count = max(0, got)
            }
            if failure == EINTR { failure = 0; continue }
            if part.isEmpty { break }
            bytes += part
        }
        let name = isInput ? "standard input" : file
        guard failure == 0 else { throw .unreadable(file: name, code: failure) }
        self.init(name: name, bytes: bytes)
    }
}

/// The system's words for an error number. strerror(3) is safe here: glibc gives a constant or the thread's own text.
private func systemMessage(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }
