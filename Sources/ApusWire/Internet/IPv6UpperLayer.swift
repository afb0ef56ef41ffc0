/// What stands behind the extension headers of an IPv6 packet.
@frozen
public struct IPv6UpperLayer: Hashable, Sendable, BitwiseCopyable {
    /// The upper layer's protocol. Behind a later fragment's header it is what the first fragment begins with.
    public var protocolNumber: IPProtocol
    /// Where it begins, counted from the IPv6 header, in octets: from 40.
    public var offset: Int
    /// How many extension headers stand before it.
    public var extensionCount: UInt8
    /// Offset in units of 8 octets in the upper 13 bits and the M flag in the lowest, if there is a fragment
    /// header; otherwise 0.
    public var fragmentField: UInt16
    /// Which datagram a fragment belongs to.
    public var identification: UInt32

    /// Whether this is one fragment of several; an atomic fragment (RFC 6946) is none.
    @inlinable public var isFragment: Bool { fragmentField & 0xfff9 != 0 }
    /// Where this fragment's payload belongs in the datagram, in octets.
    @inlinable public var fragmentOffset: Int { Int(fragmentField & 0xfff8) }

    /// An upper layer straight behind the header.
    @inlinable @inline(__always)
    init(_ protocolNumber: IPProtocol) {
        self.protocolNumber = protocolNumber
        (offset, extensionCount, fragmentField, identification) = (40, 0, 0, 0)
    }
}

extension IPv6View {
    /// The most extension headers that are walked over.
    @inlinable public static var maximumExtensionHeaders: UInt8 { 8 }
    /// The most options of one extension header, padding included, that are walked over: a bound on the work
    /// one packet can ask for.
    @inlinable public static var maximumOptions: Int { 32 }

    /// Walks over hop-by-hop options, routing, fragment and destination options headers, as the packet's final
    /// destination does (RFC 8200 section 4).
    ///
    /// The walk ends at a header that is none of these, or behind the header of a later fragment. An authentication
    /// header (RFC 4302) is none: what stands behind it counts only for who has verified it. About a nanosecond
    /// where no extension header is.
    ///
    /// - Throws: `badExtensionHeader`, `tooManyExtensionHeaders`, `sourceRoute`, `unrecognizedIPv6Option`.
    @inlinable @inline(__always)
    public func upperLayer() throws(ParseFailure) -> IPv6UpperLayer {
        let layer = IPv6UpperLayer(nextHeader)
        return Self.isExtension(layer.protocolNumber) ? try walk(layer) : layer
    }

    @inlinable @inline(__always)
    static func isExtension(_ protocolNumber: IPProtocol) -> Bool {
        switch protocolNumber {
        case .hopByHop, .routing, .fragment, .destinationOptions: true
        default: false
        }
    }

    /// The walk, out of line, for extension headers are rare.
    @usableFromInline
    func walk(_ start: IPv6UpperLayer) throws(ParseFailure) -> IPv6UpperLayer {
        var layer = start
        while Self.isExtension(layer.protocolNumber) {
            guard layer.extensionCount < Self.maximumExtensionHeaders else { throw .tooManyExtensionHeaders }
            let left = bytes.byteCount &- layer.offset
            guard left >= 8 else { throw .badExtensionHeader }
            // Eight octets are there, and `length` octets once it has been compared.
            let lengthField = unsafe Int(bytes.octet(layer.offset &+ 1))
            let length = layer.protocolNumber == .fragment ? 8 : (lengthField &+ 1) &* 8
            guard length <= left else { throw .badExtensionHeader }
            switch layer.protocolNumber {
            case .hopByHop:
                guard layer.extensionCount == 0 else { throw .badExtensionHeader }
                try checkOptions(unsafe bytes.slice(layer.offset &+ 2, layer.offset &+ length))
            case .destinationOptions:
                try checkOptions(unsafe bytes.slice(layer.offset &+ 2, layer.offset &+ length))
            case .routing:
                guard unsafe bytes.octet(layer.offset &+ 3) == 0 else { throw .sourceRoute }
            case .fragment:
                layer.fragmentField = unsafe bytes.big16(layer.offset &+ 2) & 0xfff9
                layer.identification = unsafe bytes.big32(layer.offset &+ 4)
            default: break
            }
            layer.protocolNumber = unsafe IPProtocol(rawValue: bytes.octet(layer.offset))
            layer.offset &+= length
            layer.extensionCount &+= 1
            if layer.fragmentOffset != 0 { break }
        }
        return layer
    }

    /// Goes through the options of a hop-by-hop or destination options header (RFC 8200 section 4.2).
    func checkOptions(_ options: RawSpan) throws(ParseFailure) {
        var offset = 0
        var seen = 0
        while offset < options.byteCount {
            guard seen < Self.maximumOptions else { throw .badExtensionHeader }
            seen &+= 1
            // `offset` is below byteCount, and so is the length octet once it has been compared.
            let type = unsafe options.octet(offset)
            if type == 0 {
                offset &+= 1
                continue
            }
            guard options.byteCount &- offset >= 2 else { throw .badExtensionHeader }
            let length = unsafe Int(options.octet(offset &+ 1)) &+ 2
            guard length <= options.byteCount &- offset else { throw .badExtensionHeader }
            // The upper two bits say what to do with an option one does not know; 00 is to skip it.
            guard type & 0xc0 == 0 else { throw .unrecognizedIPv6Option }
            offset &+= length
        }
    }
}
