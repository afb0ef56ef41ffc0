import ApusPorts
import ApusRTP
import ApusWire

extension Packet {
    /// Puts the packet behind other headers: what is in front of its UDP payload goes, and what is behind it:
    /// Ethernet padding, a trailer, what the IP packet has beyond the UDP length.
    ///
    /// The checksum is carried over by what differs (RFC 1624), so that damage to the payload stays
    /// visible; it is computed where there was none to carry over and one is needed.
    /// - Returns: `false` when the frame has no room for the headers; the packet is then useless.
    mutating func readdress(_ accepted: Relay.Accepted, behind destination: UDPEncapsulation) -> Bool {
        let old = accepted.headers
        guard trimFront(old.payloadOffset) else { return false }
        if isSegmented {
            guard truncate(to: old.payloadLength) else { return false }
        } else {
            guard count >= old.payloadLength, trimBack(count - old.payloadLength) else { return false }
        }
        var new = destination
        new.hopLimit = accepted.hopLimit
        new.trafficClass = old.trafficClass
        let checksum =
            if accepted.needsChecksum {
                checksum(behind: new)
            } else if let carried = new.checksum(replacing: old) {
                carried
            } else {
                new.isIPv6 ? checksum(behind: new) : 0
            }
        let payloadLength = old.payloadLength
        guard prepend(new.byteCount) else { return false }
        var frame = mutableBytes
        do throws(EncodeFailure) {
            try new.encode(into: &frame, payloadLength: payloadLength, udpChecksum: checksum)
        } catch {
            return false
        }
        return true
    }

    /// The UDP checksum of a packet that holds only the payload now, computed over all of it.
    private func checksum(behind headers: UDPEncapsulation) -> UInt16 {
        guard isSegmented else { return headers.checksum(of: bytes) }
        var sum = headers.checksumStart(payloadLength: totalCount)
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
