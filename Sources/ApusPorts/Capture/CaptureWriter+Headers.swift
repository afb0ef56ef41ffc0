// What stands in front of the records of a file, and how numbers and bytes get into the buffer.

extension CaptureWriter {
    mutating func putFileHeader() {
        put(UInt32(0xa1b2_3c4d))
        put(UInt16(2))
        put(UInt16(4))
        put(UInt64(0))
        put(UInt32(snapshotLength))
        put(Self.linkTypeEthernet)
    }

    static var linkTypeEthernet: UInt32 { 1 }

    /// Section Header Block and Interface Description Block, sections 4.1 and 4.2 of the draft.
    mutating func putSectionHeader(interface: String) {
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

    mutating func put(_ value: some FixedWidthInteger & BitwiseCopyable) {
        // Sound: headers are far smaller than the buffer, and `reserve` made room for a
        // record.
        unsafe buffer.storeBytes(of: value, toByteOffset: used, as: type(of: value))
        used += MemoryLayout.size(ofValue: value)
    }

    mutating func put(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe (buffer + used).copyMemory(from: base, byteCount: source.count)
        }
        used += bytes.byteCount
    }
}
