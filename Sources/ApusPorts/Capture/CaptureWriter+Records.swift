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
        reserve(min(packet.totalCount, snapshotLength) + Self.recordOverhead)
        append(unreserved: packet, timestamp: timestamp, direction: direction)
    }

    /// Makes sure that all of a burst can be recorded without a flush, and so be taken back in part.
    mutating func reserve(_ burst: borrowing Burst) -> Mark {
        var bytes = 0
        for position in 0..<burst.count {
            bytes += min(burst[position].totalCount, snapshotLength) + Self.recordOverhead
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
        let length = packet.totalCount
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

    /// Puts the first `limit` bytes of a packet.
    mutating func putData(of packet: borrowing Packet, limit: Int) {
        var left = limit
        packet.forEachSegment { bytes in
            let count = min(left, bytes.byteCount)
            put(bytes.extracting(first: count))
            left -= count
        }
    }
}
