import ApusRings

extension CaptureWriter {
    /// Where the next record will be: what `rewind(to:)` goes back to.
    public struct Mark: Sendable {
        var used = 0
        var count: UInt64 = 0
    }

    /// Records a packet.
    ///
    /// - Parameters:
    ///   - packet: the packet.
    ///   - timestamp: nanoseconds since 1970.
    ///   - direction: which way it went, for pcapng.
    public mutating func append(
        _ packet: borrowing Packet, timestamp: UInt64, direction: CaptureDirection = .received
    ) {
        reserve(min(Self.length(of: packet), snapshotLength) + Self.recordOverhead)
        append(unreserved: packet, timestamp: timestamp, direction: direction)
    }

    /// Makes sure that all of a burst can be recorded without a flush, and so be taken back in part.
    mutating func reserve(_ burst: borrowing Burst) -> Mark {
        var bytes = 0
        for position in 0..<burst.count {
            bytes += min(Self.length(of: burst[position]), snapshotLength) + Self.recordOverhead
        }
        reserve(bytes)
        return mark
    }

    mutating func reserve(_ bytes: Int) {
        if bytes > capacity - used { flush() }
        guard bytes > capacity else { return }
        unsafe buffer.deallocate()
        capacity = bytes
        unsafe buffer = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Where the next record will be.
    var mark: Mark { Mark(used: used, count: count) }

    /// Takes back all records made after `mark`, between which and now nothing was flushed.
    mutating func rewind(to mark: Mark) {
        require(mark.used <= used, "a record was taken back that is in the file already")
        used = mark.used
        count = mark.count
    }

    /// Records a packet for which there is room.
    mutating func append(
        unreserved packet: borrowing Packet, timestamp: UInt64, direction: CaptureDirection
    ) {
        guard failure == nil else { return }
        let length = Self.length(of: packet)
        let recorded = min(length, snapshotLength)
        let padding = -recorded & 3
        switch format {
        case .pcap:
            put(UInt32(truncatingIfNeeded: timestamp / 1_000_000_000))
            put(UInt32(truncatingIfNeeded: timestamp % 1_000_000_000))
            put(UInt32(recorded))
            put(UInt32(length))
            putData(of: packet, limit: recorded)
        case .pcapng:
            // Enhanced Packet Block, section 4.3 of the draft, with one option: epb_flags.
            let total = UInt32(32 + recorded + padding + 12)
            put(UInt32(6))
            put(total)
            put(UInt32(0))
            put(UInt32(truncatingIfNeeded: timestamp >> 32))
            put(UInt32(truncatingIfNeeded: timestamp))
            put(UInt32(recorded))
            put(UInt32(length))
            putData(of: packet, limit: recorded)
            for _ in 0..<padding { put(UInt8(0)) }
            put(UInt16(2))
            put(UInt16(4))
            put(direction.rawValue)
            put(UInt32(0))
            put(total)
        }
        count += 1
        idle = false
    }

    /// The bytes of a packet, those of a tag that was taken off it among them.
    static func length(of packet: borrowing Packet) -> Int {
        packet.totalCount + (packet.vlan == nil ? 0 : 4)
    }

    /// Puts the first `limit` bytes of a packet, a tag that was taken off it in its place behind the addresses.
    mutating func putData(of packet: borrowing Packet, limit: Int) {
        guard let tag = packet.vlan, packet.count >= 12 else {
            return putBytes(of: packet, from: 0, limit: limit)
        }
        put(packet.bytes.extracting(first: min(12, limit)))
        // As on the wire: IEEE 802.1Q, section 9.
        for (place, octet) in [0x81, 0, UInt8(tag >> 8), UInt8(tag & 255)].enumerated()
        where 12 + place < limit {
            put(octet)
        }
        putBytes(of: packet, from: 12, limit: max(0, limit - 16))
    }

    private mutating func putBytes(of packet: borrowing Packet, from start: Int, limit: Int) {
        var (start, left) = (start, limit)
        packet.forEachSegment { bytes in
            let count = min(left, bytes.byteCount - start)
            put(bytes.extracting(start..<start + count))
            (start, left) = (0, left - count)
        }
    }
}
