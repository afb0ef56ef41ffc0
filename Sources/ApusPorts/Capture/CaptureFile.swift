/// The frames of a capture file, one after the other, for whoever wants their octets and has no port.
package struct CaptureFile: ~Copyable {
    private var reader: CaptureReader
    private var count: UInt64 = 0

    /// A frame as it was recorded.
    package struct Frame: Sendable {
        /// Nanoseconds since 1970.
        package let time: UInt64
        /// As far as they were recorded.
        package let octets: [UInt8]
        /// How many octets it had.
        package let length: Int
    }

    /// Opens a file of pcap or pcapng.
    package init(path: String) throws(CaptureError) { reader = try CaptureReader(path: path) }

    /// The next frame; nil at the end.
    package mutating func next() throws(CaptureError) -> Frame? {
        switch unsafe reader.next() {
        case .packet(let time, let bytes, let length):
            count += 1
            // Sound: they are copied before the next call.
            return unsafe Frame(time: time, octets: Array(bytes), length: length)
        case .end: return nil
        case .broken(let cause):
            throw .broken(path: reader.path, packet: count, cause: cause)
        }
    }
}
