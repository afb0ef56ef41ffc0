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
        let opened = unsafe withUnsafeTemporaryAllocation(
            of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)
        ) { text -> Result<OpaquePointer, CaptureError> in
            unsafe text.initialize(repeating: 0)
            let handle = unsafe pcap_open_offline_with_tstamp_precision(
                path, UInt32(PCAP_TSTAMP_PRECISION_NANO), text.baseAddress!)
            if let handle = unsafe handle { return unsafe .success(handle) }
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
