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
    public private(set) var count: UInt64 = 0
    /// Why nothing more is written; `nil` while all is well.
    public private(set) var failure: CaptureError?

    /// -1 once it was closed.
    private var descriptor: Int32
    private var buffer: UnsafeMutableRawPointer
    private var capacity = 256 << 10
    private var used = 0
    private var idle = true

    /// The most bytes of a packet that are recorded; a longer one is recorded cut, with its true length.
    public let snapshotLength: Int

    /// The snapshot length without a wish, which is tcpdump's too, and the most there is.
    public static var maximumSnapshotLength: Int { 262_144 }
    /// The most bytes that a record has beside the packet's.
    private static let recordOverhead = 32 + 12 + 3

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
            if failure == nil { _ = unsafe Self.write(UnsafeRawBufferPointer(start: buffer, count: used), to: descriptor) }
            close(descriptor)
        }
        unsafe buffer.deallocate()
    }
}

// MARK: - Records

extension CaptureWriter {
    /// Where the next record will be: what `rewind(to:)` goes back to.
    public struct Mark: Sendable {
        fileprivate var used = 0
        fileprivate var count: UInt64 = 0
    }

    /// Records a packet.
    ///
    /// - Parameters:
    ///   - packet: the packet.
    ///   - timestamp: nanoseconds since 1970.
    ///   - direction: which way it went, for pcapng.
    public mutating func append(
        _ packet: borrowing Packet, timestamp: UInt64, direction: CaptureDirection = .received
    ) {
        reserve(min(packet.totalCount, snapshotLength) + Self.recordOverhead)
        append(unreserved: packet, timestamp: timestamp, direction: direction)
    }

    /// Makes sure that all of a burst can be recorded without a flush, and so be taken back in part.
    mutating func reserve(_ burst: borrowing Burst) -> Mark {
        var bytes = 0
        for position in 0..<burst.count {
            bytes += min(burst[position].totalCount, snapshotLength) + Self.recordOverhead
        }
        reserve(bytes)
        return mark
    }

    private mutating func reserve(_ bytes: Int) {
        if bytes > capacity - used { flush() }
        guard bytes > capacity else { return }
        unsafe buffer.deallocate()
        capacity = bytes
        unsafe buffer = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Where the next record will be.
    var mark: Mark { Mark(used: used, count: count) }

    /// Takes back all records made after `mark`, between which and now nothing was flushed.
    mutating func rewind(to mark: Mark) {
        require(mark.used <= used, "a record was taken back that is in the file already")
        used = mark.used
        count = mark.count
    }

    /// Records a packet for which there is room.
    mutating func append(
        unreserved packet: borrowing Packet, timestamp: UInt64, direction: CaptureDirection
    ) {
        guard failure == nil else { return }
        let length = packet.totalCount
        let recorded = min(length, snapshotLength)
        let padding = -recorded & 3
        switch format {
        case .pcap:
            put(UInt32(truncatingIfNeeded: timestamp / 1_000_000_000))
            put(UInt32(truncatingIfNeeded: timestamp % 1_000_000_000))
            put(UInt32(recorded))
            put(UInt32(length))
            putData(of: packet, limit: recorded)
        case .pcapng:
            // Enhanced Packet Block, section 4.3 of the draft, with one option: epb_flags.
            let total = UInt32(32 + recorded + padding + 12)
            put(UInt32(6))
            put(total)
            put(UInt32(0))
            put(UInt32(truncatingIfNeeded: timestamp >> 32))
            put(UInt32(truncatingIfNeeded: timestamp))
            put(UInt32(recorded))
            put(UInt32(length))
            putData(of: packet, limit: recorded)
            for _ in 0..<padding { put(UInt8(0)) }
            put(UInt16(2))
            put(UInt16(4))
            put(direction.rawValue)
            put(UInt32(0))
            put(total)
        }
        count += 1
        idle = false
    }

    /// Puts the first `limit` bytes of a packet.
    private mutating func putData(of packet: borrowing Packet, limit: Int) {
        var left = limit
        packet.forEachSegment { bytes in
            let count = min(left, bytes.byteCount)
            put(bytes.extracting(first: count))
            left -= count
        }
    }
}

// MARK: - The file

extension CaptureWriter {
    /// Writes the buffer to the file. Afterwards ``failure`` says whether that worked.
    public mutating func flush() {
        if failure == nil, let code = unsafe Self.write(UnsafeRawBufferPointer(start: buffer, count: used), to: descriptor) {
            failure = .writeFailed(path: path, cause: errorText(code))
        }
        used = 0
    }

    /// Writes the last records and closes the file.
    ///
    /// - Throws: what went wrong, now or before; the file then lacks what was recorded later.
    public consuming func finish() throws(CaptureError) {
        flush()
        // A file system over a network may tell only here that it could not write.
        if close(descriptor) != 0, failure == nil { failure = .writeFailed(path: path, cause: errorText(errno)) }
        descriptor = -1
        if let failure { throw failure }
    }

    /// - Returns: the error number if not all of it could be written.
    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32? {
        var written = 0
        while written < bytes.count {
            let count = unsafe Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return count < 0 ? errno : ENOSPC }
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

    private mutating func putFileHeader() {
        put(UInt32(0xa1b2_3c4d))
        put(UInt16(2))
        put(UInt16(4))
        put(UInt64(0))
        put(UInt32(snapshotLength))
        put(Self.linkTypeEthernet)
    }

    private static var linkTypeEthernet: UInt32 { 1 }

    /// Section Header Block and Interface Description Block, sections 4.1 and 4.2 of the draft.
    private mutating func putSectionHeader(interface: String) {
        put(UInt32(0x0a0d_0d0a))
        put(UInt32(28))
        put(UInt32(0x1a2b_3c4d))
        put(UInt16(1))
        put(UInt16(0))
        put(UInt64.max)
        put(UInt32(28))

        let name = Array(interface.utf8.prefix(255))
        let padding = -name.count & 3
        let total = UInt32(16 + 4 + name.count + padding + 8 + 4 + 4)
        put(UInt32(1))
        put(total)
        put(Self.linkTypeEthernet)
        put(UInt32(snapshotLength))
        put(UInt16(2))  // if_name
        put(UInt16(name.count))
        for byte in name { put(byte) }
        for _ in 0..<padding { put(UInt8(0)) }
        put(UInt16(9))  // if_tsresol: 10⁻⁹ seconds
        put(UInt16(1))
        put(UInt32(9))
        put(UInt32(0))
        put(total)
    }

    private mutating func put(_ value: some FixedWidthInteger & BitwiseCopyable) {
        // Sound: headers are far smaller than the buffer, and `reserve` made room for a
        // record.
        unsafe buffer.storeBytes(of: value, toByteOffset: used, as: type(of: value))
        used += MemoryLayout.size(ofValue: value)
    }

    private mutating func put(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe (buffer + used).copyMemory(from: base, byteCount: source.count)
        }
        used += bytes.byteCount
    }
}

/// What an errno means.
func errorText(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }
