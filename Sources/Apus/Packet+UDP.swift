public import ApusPorts
public import ApusWire

extension Packet {
    /// Where everything is in the packet, if it carries a UDP datagram that has no error in its headers.
    ///
    /// Below ten nanoseconds. To count the others by what is wrong with them use
    /// ``FlowHeaders/init(checking:)``.
    @inlinable @inline(__always)
    public var udp: FlowHeaders? { try? FlowHeaders(checking: bytes) }

    /// Turns a UDP datagram back to where it came from: link-layer addresses, IP addresses and ports change
    /// places. All checksums stay right, as a sum does not depend on the order; one that the sender had left
    /// to a device which the packet never met is completed, which reads the datagram.
    ///
    /// - Parameter headers: what ``udp`` found in this packet.
    /// - Precondition: the packet is at least as long as it was then.
    @inlinable @inline(__always)
    public mutating func swapEndpoints(_ headers: FlowHeaders) {
        var frame = mutableBytes
        let network = Int(headers.networkOffset)
        frame.swap(at: 0, 6, as: UInt32.self)
        frame.swap(at: 4, 10, as: UInt16.self)
        if headers.isIPv6 {
            frame.swap(at: network &+ 8, network &+ 24, as: UInt64.self)
            frame.swap(at: network &+ 16, network &+ 32, as: UInt64.self)
        } else {
            frame.swap(at: network &+ 12, network &+ 16, as: UInt32.self)
        }
        let transport = Int(headers.transportOffset)
        frame.swap(at: transport, transport &+ 2, as: UInt16.self)
        let start = headers.pseudoHeader
        if headers.udpChecksum == start.folded, !isSegmented {
            completeChecksum(transport, Int(headers.udpLength), start)
        }
    }

    /// Computes a UDP checksum of which the sender filled in the pseudo header's part only, as a kernel does
    /// before a device with checksum offload. Not every driver is told that it did.
    ///
    /// Numbers rather than the headers as a whole: those would have to lie in memory, for each packet.
    @usableFromInline
    mutating func completeChecksum(_ transport: Int, _ length: Int, _ pseudoHeader: InternetChecksum) {
        var frame = mutableBytes
        frame.storeBytes(of: 0, toByteOffset: transport + 6, as: UInt16.self)
        // The sum of the addresses is the same in either order.
        var sum = pseudoHeader
        sum.add(frame.bytes.extracting(transport..<transport + length))
        frame.storeBytes(of: sum.udpValue.bigEndian, toByteOffset: transport + 6, as: UInt16.self)
        flags.remove(.checksumPartial)
    }
}

extension MutableRawSpan {
    /// Exchanges two words that do not overlap.
    @inlinable @inline(__always)
    mutating func swap<Word: FixedWidthInteger & BitwiseCopyable>(at one: Int, _ other: Int, as: Word.Type) {
        let size = MemoryLayout<Word>.size
        precondition(one >= 0 && other >= 0 && max(one, other) <= byteCount &- size)
        // Sound: both lie in the span, and any bits are an integer.
        let (first, second) = unsafe (
            unsafeLoadUnaligned(fromByteOffset: one, as: Word.self),
            unsafeLoadUnaligned(fromByteOffset: other, as: Word.self)
        )
        storeBytes(of: second, toByteOffset: one, as: Word.self)
        storeBytes(of: first, toByteOffset: other, as: Word.self)
    }
}
