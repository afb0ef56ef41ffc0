import Glibc

/// Frames with UDP datagrams that differ in nothing but their source address.
public struct Datagrams: Sendable {
    /// The frame with what all have, and zeros for the lower half of the source address.
    let frame: [UInt8]
    /// How many sources.
    public let sources: Int
    /// Where the last 32 bits of the source are, what those are for source 0, and where the word is that makes up for them
    /// in the checksum.
    private let place, makeup: Int
    private let first: UInt32

    /// Frames of 64 octets.
    ///
    /// - Parameters:
    ///   - source: the first address; the others follow it.
    ///   - hardware: the link-layer address they are sent to; by default all hosts'.
    public init(
        from source: String, sources: Int = 1, to destination: String, port: UInt16,
        hardware: [UInt8] = [255, 255, 255, 255, 255, 255]
    ) throws {
        let (from, to) = (try Self.address(source), try Self.address(destination))
        let (isIPv6, length) = (from.count == 16, 64)
        guard from.count == to.count else { throw LabError("\(source) to \(destination)") }
        self.sources = sources
        first = from.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
        place = isIPv6 ? 34 : 26
        // The identification of IPv4, and of IPv6 the last word of the payload, which is below the only checksum there is.
        makeup = isIPv6 ? length - 2 : 18
        let payload = length - 14 - (isIPv6 ? 40 : 20)
        let known: [UInt8] = from.prefix(from.count - 4) + [0, 0, 0, 0]
        var header: [UInt8]
        var udp = Self.octets(4000) + Self.octets(port) + Self.octets(UInt16(payload)) + [0, 0]
        udp += [UInt8](repeating: 0, count: payload - 8)
        if isIPv6 {
            header = [0x60, 0, 0, 0] + Self.octets(UInt16(payload)) + [17, 64] + known + to
            let pseudo = known + to + Self.octets(UInt16(payload)) + [0, 17]
            udp.replaceSubrange(6..<8, with: Self.octets(Self.checksum(pseudo + udp)))
        } else {
            header =
                [0x45, 0] + Self.octets(UInt16(length - 14)) + [0, 0, 0x40, 0, 64, 17, 0, 0] + known + to
            header.replaceSubrange(10..<12, with: Self.octets(Self.checksum(header)))
        }
        frame = hardware + [2, 0, 0, 0, 0, 1] + (isIPv6 ? [0x86, 0xdd] : [8, 0]) + header + udp
    }

    private static func octets(_ word: UInt16) -> [UInt8] { [UInt8(word >> 8), UInt8(word & 255)] }

    private static func address(_ text: String) throws -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: text.contains(":") ? 16 : 4)
        guard unsafe inet_pton(octets.count == 16 ? AF_INET6 : AF_INET, text, &octets) == 1 else {
            throw LabError("\(text): no address")
        }
        return octets
    }

    /// Of RFC 1071.
    private static func checksum(_ octets: [UInt8]) -> UInt16 {
        var sum = octets.enumerated().reduce(UInt32(0)) {
            $0 + UInt32($1.element) << ($1.offset.isMultiple(of: 2) ? 8 : 0)
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return UInt16(~sum & 0xffff)
    }

    /// Makes a frame that of a source. What its address adds to the checksum the other word takes away.
    func write(_ source: UInt32, _ frame: UnsafeMutableRawPointer) {
        let address = first &+ source
        var sum = address >> 16 + address & 0xffff
        sum = sum >> 16 + sum & 0xffff
        // Sound: both places are within the frame, which is as long as this one.
        unsafe frame.storeBytes(of: address.bigEndian, toByteOffset: place, as: UInt32.self)
        unsafe frame.storeBytes(of: (~UInt16(sum)).bigEndian, toByteOffset: makeup, as: UInt16.self)
    }
}
