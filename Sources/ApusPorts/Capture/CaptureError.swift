public import ApusRings

/// Why a capture file could not be opened, read or written.
public enum CaptureError: Error, Equatable, CustomStringConvertible {
    /// The file does not exist, is not readable, or is no capture.
    case cannotRead(path: String, cause: String)
    /// The packets in it are not Ethernet frames.
    case notEthernet(path: String, linkType: String)
    /// The file can't be created.
    case cannotWrite(path: String, cause: String)
    /// The file to write is the one to read, maybe by another name.
    case sameFile(reading: String, writing: String)
    /// The file's name ends in neither `.pcap` nor `.pcapng`.
    case unknownFormat(path: String)
    /// The file ends in the middle of a packet, or its structure is broken there.
    case broken(path: String, packet: UInt64, cause: String)
    /// No more could be written to the file.
    case writeFailed(path: String, cause: String)
    /// The frames for the packets could not be had.
    case noFrames(MemoryError)

    /// One sentence that names the file, the cause and the way out.
    public var description: String {
        switch self {
        case .cannotRead(let path, let cause):
            "\"\(path)\" cannot be read as a capture: \(cause)"
        case .notEthernet(let path, let linkType):
            """
            "\(path)" holds \(linkType) packets; only Ethernet captures can be played \
            (capture on an interface rather than on "any")
            """
        case .cannotWrite(let path, let cause):
            "\"\(path)\" cannot be created: \(cause)"
        case .sameFile(let input, let output):
            """
            "\(output)" cannot be written while it is read\(output == input ? "" : " as \"\(input)\""); \
            name another file to write
            """
        case .unknownFormat(let path):
            "\"\(path)\" must end in .pcap or .pcapng, so that its format is known"
        case .broken(let path, let packet, let cause):
            "\"\(path)\" is broken after packet \(packet): \(cause)"
        case .writeFailed(let path, let cause):
            "writing \(path == "-" ? "standard output" : "\"\(path)\"") failed: \(cause); "
                + "what was captured later is not in it"
        case .noFrames(let error):
            error.description
        }
    }
}
