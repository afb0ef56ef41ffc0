/// One IPv4 option (RFC 791 section 3.1).
@frozen
public struct IPv4Option: ~Escapable, BitwiseCopyable {
    /// Copied flag, class and number.
    public let type: UInt8
    /// What follows type and length; empty for a no-operation.
    public let body: RawSpan

    @inlinable
    @_lifetime(copy body)
    init(type: UInt8, body: RawSpan) { (self.type, self.body) = (type, body) }

    /// Whether this is a loose (131) or strict (137) source route.
    @inlinable public var isSourceRoute: Bool { type == 131 || type == 137 }
}

/// A walk over the options of an IPv4 header.
@frozen
public struct IPv4Options: ~Escapable, BitwiseCopyable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var offset = 0

    /// Begins a walk over the octets between the fixed header and the payload.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) { self.bytes = bytes }

    /// The next option, or nil at the end of the list.
    ///
    /// - Throws: `badIPOption` if an option's length is below 2 or runs past the header.
    @inlinable
    @_lifetime(copy self)
    public mutating func next() throws(ParseFailure) -> IPv4Option? {
        // offset <= byteCount always; every load is below byteCount.
        guard offset < bytes.byteCount else { return nil }
        let type = unsafe bytes.octet(offset)
        if type == 0 { return nil }
        if type == 1 {
            offset &+= 1
            return unsafe IPv4Option(type: 1, body: bytes.slice(offset, offset))
        }
        guard bytes.byteCount &- offset >= 2 else { throw .badIPOption }
        let length = unsafe Int(bytes.octet(offset &+ 1))
        guard length >= 2, length <= bytes.byteCount &- offset else { throw .badIPOption }
        let body = unsafe bytes.slice(offset &+ 2, offset &+ length)
        offset &+= length
        return IPv4Option(type: type, body: body)
    }

    /// Goes through all options as a host does that takes part in no source routing.
    ///
    /// - Throws: `badIPOption`, or `sourceRoute` where there is one (RFC 7126 sections 4.3 and 4.4).
    @inlinable
    public consuming func check() throws(ParseFailure) {
        while let option = try next() {
            if option.isSourceRoute { throw .sourceRoute }
        }
    }
}
