import CMNL

/// A message from the kernel (struct nlmsghdr and what follows it).
struct NetlinkMessage {
    let type: Int
    let flags: UInt16
    let sequence: UInt32
    /// What follows the header.
    let payload: NetlinkBytes

    /// The messages of one datagram. A length that does not fit ends the reading.
    static func all(in datagram: ArraySlice<UInt8>) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = datagram
        while let length = NetlinkBytes(rest).load(at: 0, as: UInt32.self).map(Int.init),
            length >= headerSize,
            length <= rest.count
        {
            let bytes = NetlinkBytes(rest.prefix(length))
            // All four fields are within the header, whose size was checked.
            messages.append(
                NetlinkMessage(
                    type: Int(bytes.load(at: 4, as: UInt16.self) ?? 0), flags: bytes.load(at: 6) ?? 0,
                    sequence: bytes.load(at: 8) ?? 0, payload: bytes.from(headerSize)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return messages
    }

    static let headerSize = 16
}

/// A message to the kernel.
struct NetlinkRequest {
    /// All of it, with the length kept right.
    private(set) var bytes: [UInt8]
    let isDump: Bool

    /// Starts a message.
    ///
    /// - Parameters:
    ///   - type: RTM_… or a generic netlink family.
    ///   - flags: beside NLM_F_REQUEST; NLM_F_ACK is added where it is no dump, so that every answer has an end.
    ///   - header: the fixed structure that the type asks for.
    init(type: Int, flags: CInt = 0, header: [UInt8]) {
        isDump = flags & (NLM_F_ROOT | NLM_F_MATCH) != 0
        let all = flags | NLM_F_REQUEST | (isDump ? 0 : NLM_F_ACK)
        bytes = []
        bytes += Self.native(UInt32(0)) + Self.native(UInt16(type)) + Self.native(UInt16(all))
        bytes += Self.native(UInt32(0)) + Self.native(UInt32(0)) + header
        close()
    }

    var sequence: UInt32 {
        get { NetlinkBytes(bytes[...]).load(at: 8) ?? 0 }
        set { bytes.replaceSubrange(8..<12, with: Self.native(newValue)) }
    }

    /// Appends an attribute.
    mutating func put(_ type: Int, _ value: [UInt8]) {
        bytes += Self.native(UInt16(4 + value.count)) + Self.native(UInt16(type)) + value
        close()
    }

    private mutating func close() {
        while bytes.count % 4 != 0 { bytes.append(0) }
        bytes.replaceSubrange(0..<4, with: Self.native(UInt32(bytes.count)))
    }

    /// The bytes of an integer in the byte order of this machine.
    static func native<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> [UInt8] {
        let little = value.littleEndian
        return (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: little >> T($0 * 8)) }
    }
}
