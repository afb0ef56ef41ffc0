import ApusWire

extension Relay {
    /// A packet that goes on: what its next headers have to be told of it.
    @frozen
    public struct Accepted: BitwiseCopyable, Sendable {
        // Two whole words, as it is handed on in registers for each packet and destination.

        /// Slot, in 32 bits, what the checksum says, and payload offset, from below.
        @usableFromInline var places: UInt64
        /// Payload length, and in octets traffic class, hop limit and kind of checksum, from below.
        @usableFromInline var figures: UInt64

        @inlinable @inline(__always)
        init() { (places, figures) = (0, 0) }

        /// What headers say; the stream is not known yet, and the hop limit is one less than it came with.
        @inlinable @inline(__always)
        init(_ headers: FlowHeaders, rest: UInt16, checksum: Checksum) {
            places = UInt64(rest) << 32 | UInt64(headers.transportOffset &+ 8) << 48
            let hopLimit = UInt64(max(headers.hopLimit, 1) &- 1)
            figures =
                UInt64(headers.udpLength &- 8) | UInt64(headers.trafficClass) << 16 | hopLimit << 24
                | UInt64(checksum.rawValue) << 32
        }

        /// The stream is known now.
        @inline(__always)
        mutating func settle(slot: Int, hopLimit: UInt8) {
            // A table has fewer slots than 2^32.
            places |= UInt64(truncatingIfNeeded: slot) & 0xffff_ffff
            figures = figures & ~0xff00_0000 | UInt64(hopLimit) << 24
        }

        /// The checksum goes on as it is.
        mutating func carryChecksum() { figures &= 0xffff_ffff }

        /// The slot of its stream.
        @inlinable @inline(__always)
        public var slot: Int { Int(truncatingIfNeeded: places & 0xffff_ffff) }
        /// What its UDP checksum says of what stays (``FlowHeaders/checksumRest``), to be carried over.
        @inlinable @inline(__always)
        public var checksumRest: UInt16 { UInt16(truncatingIfNeeded: places >> 32) }
        /// Where its UDP payload begins, in octets.
        @inlinable @inline(__always)
        public var payloadOffset: Int { Int(truncatingIfNeeded: places >> 48) }
        /// The octets of its UDP payload.
        @inlinable @inline(__always)
        public var payloadLength: Int { Int(truncatingIfNeeded: figures & 0xffff) }
        /// Differentiated services code point in the upper 6 bits, ECN in the lower 2.
        @inlinable @inline(__always)
        public var trafficClass: UInt8 { UInt8(truncatingIfNeeded: figures >> 16) }
        /// The hop limit to send it with.
        @inlinable @inline(__always)
        public var hopLimit: UInt8 { UInt8(truncatingIfNeeded: figures >> 24) }
        /// How it comes to its next UDP checksum.
        @inlinable @inline(__always)
        public var checksum: Checksum { Checksum(rawValue: UInt8(truncatingIfNeeded: figures >> 32)) }
    }

    /// How a packet that goes on comes to its UDP checksum.
    @frozen
    public struct Checksum: RawRepresentable, Hashable, BitwiseCopyable, Sendable {
        /// The kind as a number.
        public let rawValue: UInt8

        /// The kind of that number.
        @inlinable @inline(__always)
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The one it has is carried over.
        @inlinable @inline(__always)
        public static var carried: Checksum { Checksum(rawValue: 0) }
        /// It has none, and needs none over IPv4.
        @inlinable @inline(__always)
        public static var absent: Checksum { Checksum(rawValue: 1) }
        /// It must be computed, since the sender left that to its device.
        @inlinable @inline(__always)
        public static var left: Checksum { Checksum(rawValue: 2) }

        // Not of what goes on.

        /// It is carried over, though nobody has verified it.
        static var unverified: Checksum { Checksum(rawValue: 3) }
        /// It is wrong.
        @inlinable @inline(__always)
        static var wrong: Checksum { Checksum(rawValue: 4) }
        /// There is none, but IPv6 needs one.
        @inlinable @inline(__always)
        static var missing: Checksum { Checksum(rawValue: 5) }
    }
}
