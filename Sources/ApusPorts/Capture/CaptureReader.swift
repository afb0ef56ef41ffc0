import CPcap
import Glibc

/// Reads the packets of a capture file of Ethernet frames, one after the other, by libpcap.
@safe
struct CaptureReader: ~Copyable, @unchecked Sendable {
    // Sendable: libpcap's handle belongs to no thread, and nothing else has it; using it needs exclusive access.
    let path: String
    private let handle: OpaquePointer

    /// What comes next in a file.
    @unsafe
    enum Next {
        /// A packet: its time in nanoseconds since 1970, its bytes as far as they were recorded, which stay
        /// until the next call, and how many it had.
        case packet(timestamp: UInt64, bytes: UnsafeRawBufferPointer, length: Int)
        /// The file ends here, as it should.
        case end
        /// The file is broken here.
        case broken(cause: String)
    }

    init(path: String) throws(CaptureError) {
        let file = unsafe try Self.open(path)
        let opened = unsafe withUnsafeTemporaryAllocation(
            of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)
        ) { text -> Result<OpaquePointer, CaptureError> in
            unsafe text.initialize(repeating: 0)
            let handle = unsafe pcap_fopen_offline_with_tstamp_precision(
                file, UInt32(PCAP_TSTAMP_PRECISION_NANO), text.baseAddress!)
            if let handle = unsafe handle { return unsafe .success(handle) }
            // Only what was opened as a capture is closed with it.
            unsafe fclose(file)
            let cause = unsafe String(cString: text.baseAddress!)
            // libpcap begins some of its messages with the file's name.
            return unsafe .failure(.cannotRead(path: path, cause: cause.withoutPrefix("\(path): ")))
        }
        let handle = unsafe try opened.get()
        let linkType = unsafe pcap_datalink(handle)
        guard linkType == DLT_EN10MB else {
            let name = unsafe pcap_datalink_val_to_name(linkType).map { unsafe String(cString: $0) }
            unsafe pcap_close(handle)
            throw .notEthernet(path: path, linkType: name ?? "link type \(linkType)")
        }
        unsafe self.handle = unsafe handle
        self.path = path
    }

    deinit { unsafe pcap_close(handle) }

    /// Opens a file, or standard input where it is `-`. A pipe with a name has some seconds to get what it begins with, as one that nobody writes to would keep
    /// its reader for ever.
    private static func open(_ path: String) throws(CaptureError) -> UnsafeMutablePointer<FILE> {
        // Sound: the path outlives the call.
        let descriptor =
            path == "-"
            ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
            : unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw cannotRead(path, errno) }
        if isNamedPipe(descriptor) {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // Sound: the structure outlives the call.
            if unsafe poll(&polled, 1, pipeSeconds * 1000) == 0 {
                close(descriptor)
                let cause = "it is a pipe, and nothing came out of it within \(pipeSeconds) seconds"
                throw .cannotRead(path: path, cause: cause)
            }
        }
        // From here on it is waited for as any file is.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        guard let file = unsafe fdopen(descriptor, "rb") else {
            let code = errno
            close(descriptor)
            throw cannotRead(path, code)
        }
        return unsafe file
    }

    private static let pipeSeconds: Int32 = 5

    /// Whether it is a pipe with a name, to which somebody may write later. Who made one without has its other end.
    private static func isNamedPipe(_ descriptor: Int32) -> Bool {
        var status = stat()
        // Sound: the kernel fills in the structure, or the call fails.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return false }
        // Sound: the path outlives the call, which writes no more than there is room for.
        let name = unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            let room = unsafe UnsafeMutableRawBufferPointer(buffer).assumingMemoryBound(to: CChar.self)
            count = max(0, unsafe readlink("/proc/self/fd/\(descriptor)", room.baseAddress!, room.count))
        }
        return !name.starts(with: "pipe:".utf8)
    }

    private static func cannotRead(_ path: String, _ code: Int32) -> CaptureError {
        // The words of strerror(3) are a constant of the C library, or the thread's own.
        .cannotRead(path: path, cause: unsafe String(cString: strerror(code)))
    }

    mutating func next() -> Next {
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var data: UnsafePointer<UInt8>?
        let outcome = unsafe pcap_next_ex(handle, &header, &data)
        guard outcome == 1, let header = unsafe header?.pointee, let data = unsafe data else {
            if outcome == PCAP_ERROR_BREAK { return unsafe .end }
            return unsafe .broken(cause: String(cString: pcap_geterr(handle)))
        }
        // With nanosecond precision tv_usec holds nanoseconds. A hostile file can hold any number.
        let seconds = UInt64(truncatingIfNeeded: header.ts.tv_sec)
        let nanoseconds = UInt64(truncatingIfNeeded: header.ts.tv_usec)
        return unsafe .packet(
            timestamp: seconds &* 1_000_000_000 &+ nanoseconds,
            bytes: UnsafeRawBufferPointer(start: data, count: Int(header.caplen)), length: Int(header.len))
    }
}

extension String {
    fileprivate func withoutPrefix(_ prefix: String) -> String {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
    }
}
