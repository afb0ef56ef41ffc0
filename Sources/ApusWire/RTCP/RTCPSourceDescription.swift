/// One item of a source description (RFC 3550 section 6.5).
@frozen
public struct RTCPSourceItem: ~Escapable, BitwiseCopyable {
    /// The source that the item is about.
    public let ssrc: UInt32
    /// What the item tells: 1 is the canonical name (CNAME).
    public let type: UInt8
    /// The text, in UTF-8 if the sender keeps to the RFC.
    public let text: RawSpan

    @inlinable
    @_lifetime(copy text)
    init(ssrc: UInt32, type: UInt8, text: RawSpan) {
        (self.ssrc, self.type, self.text) = (ssrc, type, text)
    }
}

/// A source description (RFC 3550 section 6.5), its chunks and items found well-formed, and a walk over the
/// items of all chunks.
@frozen
public struct RTCPSourceDescriptionView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// How many chunks there are, one a source, 0 to 31.
    public let chunkCount: Int
    @usableFromInline var offset = 0
    @usableFromInline var ssrc: UInt32 = 0
    @usableFromInline var isInChunk = false
    /// How many chunks the walk has entered.
    @usableFromInline var begun = 0

    /// Checks that all chunks are there, each item inside the packet, each list ended by a zero octet and
    /// filled up to 32 bits.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        body = try packet.body(.sourceDescription, atLeast: 0)
        chunkCount = packet.count
        var offset = 0
        for _ in 0..<chunkCount {
            guard body.byteCount &- offset >= 8 else { throw .badRTCPBody }
            offset &+= 4
            // offset is below byteCount for each load.
            while true {
                guard offset < body.byteCount else { throw .badRTCPBody }
                if unsafe body.octet(offset) == 0 { break }
                guard body.byteCount &- offset >= 2 else { throw .badRTCPBody }
                offset &+= 2 &+ (unsafe Int(body.octet(offset &+ 1)))
            }
            // The body is a multiple of four octets long, so this stays inside.
            offset = (offset &+ 4) & ~3
        }
    }

    /// The next item, or nil behind the last.
    @inlinable
    @_lifetime(copy self)
    public mutating func next() -> RTCPSourceItem? {
        // The initializer has walked the same way through as many chunks, so all that is read here is there.
        while isInChunk || begun < chunkCount {
            if !isInChunk {
                ssrc = unsafe body.big32(offset)
                (offset, isInChunk, begun) = (offset &+ 4, true, begun &+ 1)
            }
            let type = unsafe body.octet(offset)
            if type == 0 {
                (offset, isInChunk) = ((offset &+ 4) & ~3, false)
                continue
            }
            let (start, length) = unsafe (offset &+ 2, Int(body.octet(offset &+ 1)))
            offset = start &+ length
            return unsafe RTCPSourceItem(ssrc: ssrc, type: type, text: body.slice(start, offset))
        }
        return nil
    }
}
