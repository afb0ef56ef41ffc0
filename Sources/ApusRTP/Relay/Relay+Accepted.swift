import ApusWire

extension Relay {
    /// A packet that goes on: what its next headers have to be told of it.
    @frozen
    public struct Accepted: BitwiseCopyable, Sendable {
        // Two whole words, as it is handed on in registers for each packet and destination.

        /// Slot, in 32 bits, what the checksum says, and payload offset, from below.
        @usableFromInline let places: UInt64
        /// Payload length, and in octets traffic class, hop limit and kind of checksum, from below.
        @usableFromInline let figures: UInt64

        @inline(__always)
        init(slot: Int, headers: FlowHeaders, rest: UInt16, checksum: Checksum, hopLimit: UInt8) {
            // A table has fewer slots than 2^32.
            places =
                UInt64(truncatingIfNeeded: slot) & 0xffff_ffff | UInt64(rest) << 32
                | UInt64(headers.transportOffset &+ 8) << 48
            figures =
                UInt64(headers.udpLength &- 8) | UInt64(headers.trafficClass) << 16 | UInt64(hopLimit) << 24
                | UInt64(checksum.rawValue) << 32
        }

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
    }
}
