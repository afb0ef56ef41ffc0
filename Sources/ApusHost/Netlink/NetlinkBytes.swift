/// A part of a netlink message, read without trusting any length in it.
struct NetlinkBytes {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var count: Int { bytes.count }

    /// The integer at an offset in the byte order of this machine, or nil when it is not all there.
    func load<T: FixedWidthInteger & UnsignedInteger>(at offset: Int = 0, as type: T.Type = T.self) -> T? {
        let size = T.bitWidth / 8
        guard offset >= 0, offset + size <= count else { return nil }
        var value: T = 0
        for i in (0..<size).reversed() { value = value << 8 | T(bytes[bytes.startIndex + offset + i]) }
        return T(littleEndian: value)
    }

    /// The integer at an offset in network byte order, or nil when it is not all there.
    func loadBigEndian<T: FixedWidthInteger & UnsignedInteger>(at offset: Int, as type: T.Type = T.self) -> T?
    {
        load(at: offset, as: T.self).map { T(bigEndian: $0) }
    }

    /// The bytes from an offset to the end; empty when there are none.
    func from(_ offset: Int) -> NetlinkBytes { NetlinkBytes(bytes.dropFirst(offset)) }

    /// The first bytes.
    func prefix(_ length: Int) -> NetlinkBytes { NetlinkBytes(bytes.prefix(length)) }

    /// The text up to the first zero byte.
    var string: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    /// The attributes that these bytes are.
    var attributes: NetlinkAttributes { NetlinkAttributes(self) }
}

/// A sequence of attributes (struct nlattr, include/uapi/linux/netlink.h): 16 bits of length with the
/// header's 4 bytes, 16 bits of type, the value, padding to 4 bytes.
struct NetlinkAttributes {
    private var values: [(type: UInt16, value: NetlinkBytes)] = []

    init(_ bytes: NetlinkBytes) {
        var offset = 0
        // The first attribute that does not fit ends the reading; those before it count.
        while let length: UInt16 = bytes.load(at: offset), let type: UInt16 = bytes.load(at: offset + 2),
            length >= 4, offset + Int(length) <= bytes.count
        {
            // The two upper bits of the type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
            values.append((type & 0x3fff, bytes.from(offset + 4).prefix(Int(length) - 4)))
            offset += (Int(length) + 3) & ~3
        }
    }

    /// The value of an attribute; the last one if it is there more than once.
    subscript(type: Int) -> NetlinkBytes? { values.last { $0.type == type }?.value }
}
