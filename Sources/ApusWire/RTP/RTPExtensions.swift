/// One element of an RTP header extension (RFC 8285 section 4).
@frozen
public struct RTPExtensionElement: ~Escapable, BitwiseCopyable {
    /// The local identifier: 1 to 14 in the one-byte form, 1 to 255 in the two-byte form.
    public let identifier: UInt8
    /// The element's data: 1 to 16 octets in the one-byte form, 0 to 255 in the two-byte form.
    public let bytes: RawSpan

    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    init(identifier: UInt8, bytes: RawSpan) { (self.identifier, self.bytes) = (identifier, bytes) }
}

/// A walk over the elements of an RTP header extension (RFC 8285), in their one-byte or two-byte form.
///
/// Nothing is allocated. A malformed extension ends the walk early, as the RFC asks, and the packet is still
/// good.
@frozen
public struct RTPExtensionElements: ~Escapable, BitwiseCopyable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset = 0
    /// Whether the elements have headers of one octet (profile 0xbede) or of two (0x1000 to 0x100f).
    @usableFromInline let isOneByte: Bool

    /// Begins a walk over a header extension's data. With a profile that is neither form there is no element.
    @inlinable
    @_lifetime(copy bytes)
    public init(profile: UInt16, bytes: RawSpan) {
        isOneByte = profile == 0xbede
        if isOneByte || profile & 0xfff0 == 0x1000 {
            self.bytes = bytes
        } else {
            self.bytes = RawSpan()
        }
    }

    /// The next element, or nil at the end or where the extension is malformed.
    @inlinable
    @_lifetime(copy self)
    public mutating func next() -> RTPExtensionElement? {
        // offset <= byteCount always; loads are below byteCount.
        while offset < bytes.byteCount {
            let first = unsafe bytes.octet(offset)
            if first == 0 {
                offset &+= 1
                continue
            }
            return isOneByte ? unsafe oneByte(first) : unsafe twoByte(first)
        }
        return nil
    }

    @unsafe @inlinable
    @_lifetime(copy self)
    mutating func oneByte(_ first: UInt8) -> RTPExtensionElement? {
        let (start, length) = (offset &+ 1, Int(first & 0xf) &+ 1)
        // Identifier 15 ends the walk, and so does padding that claims a length (section 4.2).
        guard first >> 4 != 0, first >> 4 != 15, length <= bytes.byteCount &- start else { return end() }
        offset = start &+ length
        return unsafe RTPExtensionElement(identifier: first >> 4, bytes: bytes.slice(start, offset))
    }

    @unsafe @inlinable
    @_lifetime(copy self)
    mutating func twoByte(_ first: UInt8) -> RTPExtensionElement? {
        let start = offset &+ 2
        guard start <= bytes.byteCount else { return end() }
        let length = unsafe Int(bytes.octet(start &- 1))
        guard length <= bytes.byteCount &- start else { return end() }
        offset = start &+ length
        return unsafe RTPExtensionElement(identifier: first, bytes: bytes.slice(start, offset))
    }

    @inlinable
    @_lifetime(copy self)
    mutating func end() -> RTPExtensionElement? {
        offset = bytes.byteCount
        return nil
    }
}

extension RTPView {
    /// Goes through the header extension's elements.
    @inlinable
    public var extensionElements: RTPExtensionElements {
        @_lifetime(copy self) get {
            RTPExtensionElements(profile: extensionProfile ?? 0, bytes: extensionBytes)
        }
    }

    /// The data of the first element of that identifier, or nil if there is none. As long as the elements
    /// before it are many.
    @inlinable
    @_lifetime(copy self)
    public func extensionElement(_ identifier: UInt8) -> RawSpan? {
        var elements = extensionElements
        while let element = elements.next() {
            if element.identifier == identifier { return element.bytes }
        }
        return nil
    }
}
