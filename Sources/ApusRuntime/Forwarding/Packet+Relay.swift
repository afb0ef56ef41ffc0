import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

extension Relay {
    /// Looks at a packet that came in by the interface with that address; `now` is when, if it does not say so itself.
    /// Gives the bytes in it.
    @inline(__always)
    mutating func look(
        at packet: inout Packet, _ mac: MACAddress, _ now: UInt64, _ seen: inout Seen,
        _ counters: borrowing RelayCounters
    ) -> Int {
        let known = packet.flags.intersection([.checksumPartial, .checksumVerified])
        let arrival = Relay.Arrival(
            interface: mac, checksumBits: UInt8(truncatingIfNeeded: known.rawValue),
            time: packet.timestamp != 0 ? packet.timestamp : now)
        if _slowPath(packet.isSegmented) {
            let count = packet.totalCount
            look(atFirstSegment: packet.bytes, byteCount: count, arrival, &seen, counters: counters)
            return count
        }
        look(at: packet.bytes, arrival, &seen, counters: counters)
        return packet.count
    }
}

extension Packet {
    /// Puts the packet behind the headers of a way: what is in front of its UDP payload goes, and what is behind it:
    /// Ethernet padding, a trailer, what the IP packet has beyond the UDP length.
    ///
    /// The checksum is carried over by what differs (RFC 1624), so that damage to the payload stays visible. For a
    /// packet in one segment that has a checksum to carry over; ``readdressSlowly(_:on:of:)`` is for the others.
    /// - Returns: `false` when the frame has no room for the headers; the packet is then useless.
    @inline(__always)
    mutating func readdress(_ accepted: Relay.Accepted, on way: Int, of ways: borrowing FixedArray<Way>)
        -> Bool
    {
        let count = ways[way].headers.byteCount
        guard _fastPath(replaceFront(accepted.payloadOffset, by: count, keeping: accepted.payloadLength))
        else {
            return false
        }
        return write(accepted, on: way, of: ways)
    }

    /// Makes an empty packet a copy of another one, of which ``readdress(_:on:of:)`` holds, behind the headers of a way.
    /// - Returns: `false` when the frame has no room; the packet is then useless.
    @inline(__always)
    mutating func readdressCopy(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on way: Int,
        of ways: borrowing FixedArray<Way>
    ) -> Bool {
        let count = ways[way].headers.byteCount
        guard copyPart(of: packet, from: accepted.payloadOffset, count: accepted.payloadLength, behind: count)
        else { return false }
        return write(accepted, on: way, of: ways)
    }

    /// Writes the headers of a way, with the checksum carried over.
    @inline(__always)
    private mutating func write(
        _ accepted: Relay.Accepted, on way: Int, of ways: borrowing FixedArray<Way>
    ) -> Bool {
        let checksum = ways[way].headers.checksum(carrying: accepted.checksumRest)
        var frame = mutableBytes
        do throws(EncodeFailure) {
            try PreparedHeaders.encode(
                ways[way].headers, into: &frame, payloadLength: accepted.payloadLength,
                hopLimit: accepted.hopLimit, trafficClass: accepted.trafficClass, udpChecksum: checksum)
            return true
        } catch {
            return false
        }
    }

    /// The same of any packet. Its checksum is computed where there was none to carry over and one is needed.
    mutating func readdressSlowly(
        _ accepted: Relay.Accepted, on way: Int, of ways: borrowing FixedArray<Way>
    ) -> Bool {
        let headers = ways[way].headers
        let payloadLength = accepted.payloadLength
        guard trimFront(accepted.payloadOffset) else { return false }
        if isSegmented {
            guard truncate(to: payloadLength) else { return false }
        } else {
            guard count >= payloadLength, trimBack(count - payloadLength) else { return false }
        }
        let checksum =
            if accepted.checksum == .carried {
                headers.checksum(carrying: accepted.checksumRest)
            } else if accepted.checksum == .left || headers.isIPv6 {
                checksum(from: headers.checksumStart(payloadLength: payloadLength))
            } else {
                0 as UInt16
            }
        // It is whole from here on, also where the sender had left it to the device.
        flags.remove(.checksumPartial)
        return prepend(headers.byteCount) && write(headers, accepted, checksum)
    }

    @inline(__always)
    private mutating func write(
        _ headers: PreparedHeaders, _ accepted: Relay.Accepted, _ checksum: UInt16
    ) -> Bool {
        var frame = mutableBytes
        do throws(EncodeFailure) {
            try headers.encode(
                into: &frame, payloadLength: accepted.payloadLength, hopLimit: accepted.hopLimit,
                trafficClass: accepted.trafficClass, udpChecksum: checksum)
            return true
        } catch {
            return false
        }
    }

    /// The UDP checksum of a packet that holds only the payload now, computed over all of it onto the sum of the rest.
    private func checksum(from start: InternetChecksum) -> UInt16 {
        var sum = start
        var isOdd = false
        forEachSegment { segment in
            var piece = InternetChecksum()
            piece.add(segment)
            // A piece that begins at an odd offset counts with its octets exchanged (RFC 1071 section 2(B)).
            sum.add(isOdd ? piece.folded.byteSwapped : piece.folded)
            if segment.byteCount % 2 == 1 { isOdd.toggle() }
        }
        return sum.udpValue
    }
}
