import ApusWire

extension Relay {
    /// What is known of a packet of a burst from one pass to the next.
    @frozen
    public struct Seen: BitwiseCopyable, Sendable {
        /// Where it goes to, and where the look-up of that begins.
        @usableFromInline var destination = EndpointIndex.Key()
        @usableFromInline var place: UInt32 = 0
        /// When it arrived, in nanoseconds since 1970.
        @usableFromInline var time: UInt64 = 0
        /// The first eight octets of an RTP packet as a number, of which the uppermost bit is set; or one of the other
        /// ``Kind``s.
        @usableFromInline var rtp: UInt64 = 0
        @usableFromInline var found = Accepted()
        /// Of an RTP packet.
        @usableFromInline var ssrc: UInt32 = 0
        /// Where among the table's ways those of its stream begin.
        @usableFromInline var firstWay: Int32 = 0
        /// How many those are; below 0 if the packet was refused.
        @usableFromInline var wayCount: Int32 = -1

        /// A packet that was not looked at.
        @inlinable
        public init() {}

        /// Whether it is dropped, which has been counted.
        @inlinable @inline(__always)
        public var isRefused: Bool { wayCount < 0 }

        /// What its next headers have to be told of it; only for a packet that is not refused.
        @inlinable @inline(__always)
        public var accepted: Accepted { found }

        /// Where its ways are among those of the table, in the order of its stream's destinations; only for a packet that
        /// is not refused.
        @inlinable @inline(__always)
        public var ways: Range<Int> {
            let first = Int(firstWay)
            return unsafe Range(uncheckedBounds: (first, first &+ Int(wayCount)))
        }

        /// What a packet is that is no RTP.
        @usableFromInline
        enum Kind {
            @inlinable static var other: UInt64 { 0 }
            @inlinable static var rtcp: UInt64 { 1 }
            /// Of a stream that is not measured.
            @inlinable static var unmeasured: UInt64 { 2 }
        }
    }
}
