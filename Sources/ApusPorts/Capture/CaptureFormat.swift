/// The formats of capture files, both with timestamps in nanoseconds.
public enum CaptureFormat: String, Sendable, CaseIterable {
    /// The classic format of libpcap (draft-ietf-opsawg-pcap), with the magic number of nanoseconds.
    case pcap
    /// The block format of Wireshark (draft-ietf-opsawg-pcapng); it tells received from sent packets.
    case pcapng

    /// The format that a file's name ends in; `nil` for another ending.
    public init?(path: String) {
        let format = CaptureFormat.allCases.first { path.hasSuffix(".\($0.rawValue)") }
        guard let format else { return nil }
        self = format
    }
}

/// Which way a captured packet went.
public enum CaptureDirection: UInt32, Sendable {
    /// Nothing is said of it.
    case unknown = 0
    /// It was received (pcapng's `epb_flags`, inbound).
    case received = 1
    /// It was sent (pcapng's `epb_flags`, outbound).
    case sent = 2
}
