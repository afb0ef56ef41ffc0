import ApusRings
import Glibc

/// Writes packets to a capture file of Ethernet frames, with timestamps in nanoseconds.
///
/// Written here because libpcap writes no pcapng, and does not say whether a write failed. Records are
/// made in a buffer, from which the last ones can be taken back until ``flush()``, and go to the file some
/// 256 KiB at a time. Cost: a copy of each packet, and a system call every hundreds of packets.
///
/// A disk that is full ends the capture, not the program: see ``failure``. End with ``finish()``, which writes the
/// last records and throws what went wrong; a writer that is just dropped writes them too, and can't say so.
@safe
public struct CaptureWriter: ~Copyable, @unchecked Sendable {
    // Sendable: nothing else leads to the buffer, and using it needs exclusive access.

    /// The file.
    public let path: String
    /// Its format.
    public let format: CaptureFormat
    /// Packets written, or waiting in the buffer to be.
    public internal(set) var count: UInt64 = 0
    /// Why nothing more is written; `nil` while all is well.
    public private(set) var failure: CaptureError?

    /// -1 once it was closed.
    private var descriptor: Int32
    var buffer: UnsafeMutableRawPointer
    var capacity = 256 << 10
    var used = 0
    var idle = true
    /// What ends the wait for a reader who takes nothing; nil, and a write waits for ever.
    package var waitLimit: WaitLimit?

    /// The most bytes of a packet that are recorded; a longer one is recorded cut, with its true length.
    public let snapshotLength: Int

    /// The snapshot length without a wish, which is tcpdump's too, and the most there is.
    public static var maximumSnapshotLength: Int { 262_144 }
    /// The most bytes that a record has beside the packet's.
    static let recordOverhead = 32 + 12 + 3

    /// Creates the file, or empties it.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - format: its format; `nil` takes it from the end of the name.
    ///   - interface: the name that pcapng records for the interface.
    ///   - snapshotLength: the most bytes of a packet that are recorded, 64 or more.
    public init(
        path: String, format: CaptureFormat? = nil, interface: String = "apus",
        snapshotLength: Int = maximumSnapshotLength
    ) throws(CaptureError) {
        require(
            (64...Self.maximumSnapshotLength).contains(snapshotLength), "a snapshot has 64 to 262144 bytes")
        guard let format = format ?? CaptureFormat(path: path) else { throw .unknownFormat(path: path) }
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, cause: errorText(errno)) }
        self.init(descriptor, path, format, interface, snapshotLength)
    }

    /// Writes to standard output, which stays open, from where it is: a pipe to another program, or a file that a
    /// shell has opened. ``path`` is `-`.
    ///
    /// A reader that goes away is a ``failure``, unless SIGPIPE ends the process first.
    public init(
        standardOutputAs format: CaptureFormat, interface: String = "apus",
        snapshotLength: Int = maximumSnapshotLength
    ) throws(CaptureError) {
        require(
            (64...Self.maximumSnapshotLength).contains(snapshotLength), "a snapshot has 64 to 262144 bytes")
        let descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .cannotWrite(path: "-", cause: errorText(errno)) }
        self.init(descriptor, "-", format, interface, snapshotLength)
    }

    private init(
        _ descriptor: Int32, _ path: String, _ format: CaptureFormat, _ interface: String,
        _ snapshotLength: Int
    ) {
        self.path = path
        self.format = format
        self.descriptor = descriptor
        self.snapshotLength = snapshotLength
        unsafe buffer = .allocate(byteCount: capacity, alignment: 16)
        switch format {
        case .pcap: putFileHeader()
        case .pcapng: putSectionHeader(interface: interface)
        }
    }

    deinit {
        if descriptor >= 0 {
            if failure == nil {
                _ = unsafe Self.write(
                    UnsafeRawBufferPointer(start: buffer, count: used), to: descriptor, waitLimit)
            }
            close(descriptor)
        }
        unsafe buffer.deallocate()
    }
}

// MARK: - The file

extension CaptureWriter {
    /// Writes the buffer to the file. Afterwards ``failure`` says whether that worked.
    public mutating func flush() {
        if failure == nil,
            let cause = unsafe Self.write(
                UnsafeRawBufferPointer(start: buffer, count: used), to: descriptor, waitLimit)
        {
            failure = .writeFailed(path: path, cause: cause)
        }
        used = 0
    }

    /// Writes the last records and closes the file.
    ///
    /// - Throws: what went wrong, now or before; the file then lacks what was recorded later.
    public consuming func finish() throws(CaptureError) {
        flush()
        // A file system over a network may tell only here that it could not write.
        if close(descriptor) != 0, failure == nil {
            failure = .writeFailed(path: path, cause: errorText(errno))
        }
        descriptor = -1
        if let failure { throw failure }
    }

    /// - Returns: the cause if not all of it could be written.
    private static func write(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ limit: WaitLimit?
    ) -> String? {
        // A pipe that is ready takes so much without a wait.
        let most = limit == nil ? bytes.count : WaitLimit.readyBytes
        var written = 0
        while written < bytes.count {
            if let limit, !limit.waits(for: descriptor) { return "nobody takes it" }
            let count = unsafe Glibc.write(
                descriptor, bytes.baseAddress! + written, min(most, bytes.count - written))
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return errorText(count < 0 ? errno : ENOSPC) }
            written += count
        }
        return nil
    }

    /// Writes the buffer to the file if nothing was recorded since the last call: for a call in each round
    /// of a loop, so that a reader of the file waits no longer than traffic pauses.
    mutating func flushWhenIdle() {
        if idle, used > 0 { flush() }
        idle = true
    }
}

/// What an errno means.
func errorText(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }
