public import ApusRings
public import ApusWire

/// The first pass over a burst: all that the bytes of a frame say, and how it came.
extension Relay {
    /// Looks at a frame, and asks for the place where its stream should be.
    ///
    /// Reads the whole packet once when its checksum has to be verified, else the headers only. What ``settle(_:count:counters:)``
    /// finds out afterwards comes first if there are several reasons to drop it, but for those in the headers.
    @inlinable @inline(__always)
    public mutating func look(
        at frame: RawSpan, _ arrival: Arrival, _ seen: inout Seen, counters: borrowing RelayCounters
    ) {
        seen.wayCount = -1
        guard Self.isFor(arrival.interface, frame, counters) else { return }
        let headers: FlowHeaders
        do throws(ParseFailure) {
            headers = try FlowHeaders(checking: frame)
            try headers.checkAddresses()
        } catch {
            counters.count(error)
            return
        }
        // Now, as what it needs is at hand.
        let rest = headers.checksumRest
        guard Self.isMeant(headers, frame, counters), isForeign(headers, counters) else { return }
        take(headers, frame, rest, Self.checksum(headers, frame, arrival), arrival.time, &seen)
    }

    /// Looks at a frame of `byteCount` bytes that goes on in further segments behind the first.
    ///
    /// The headers have to be in the first segment whole. A UDP checksum that no device has verified is not
    /// verified here either, which is counted: corrected for the new headers it goes on, and so does any
    /// damage to the payload, for the receiver to see. One that the sender has left to its device, which the
    /// field itself shows, has to be computed over all segments: it is ``Checksum/left``.
    public mutating func look(
        atFirstSegment segment: RawSpan, byteCount: Int, _ arrival: Arrival, _ seen: inout Seen,
        counters: borrowing RelayCounters
    ) {
        seen.wayCount = -1
        guard Self.isFor(arrival.interface, segment, counters) else { return }
        let headers: FlowHeaders
        do throws(ParseFailure) {
            headers = try FlowHeaders(checkingFirstSegment: segment, byteCount: byteCount)
            try headers.checkAddresses()
            if headers.isIPv6, headers.udpChecksum == 0, !arrival.isChecksumPartial {
                throw .missingUDPChecksum
            }
        } catch {
            counters.count(error)
            return
        }
        guard Self.isMeant(headers, segment, counters), isForeign(headers, counters) else { return }
        // Of AF_XDP no flag says so, but the field does: carried over it would be wrong for ever.
        let isPartial =
            arrival.isChecksumPartial
            || !arrival.isChecksumVerified && headers.udpChecksum != 0
                && headers.udpChecksum == headers.pseudoHeader.folded
        let checksum: Checksum =
            if isPartial {
                .left
            } else if headers.udpChecksum == 0 {
                .absent
            } else {
                arrival.isChecksumVerified ? .carried : .unverified
            }
        take(headers, segment, headers.checksumRest, checksum, arrival.time, &seen)
    }

    /// Whether the frame's destination is the interface, or a group.
    @inlinable @inline(__always)
    static func isFor(
        _ interface: MACAddress, _ frame: RawSpan, _ counters: borrowing RelayCounters
    ) -> Bool {
        guard let destination = EthernetView.destination(of: frame) else {
            counters.count(ParseFailure.truncatedEthernet)
            return false
        }
        if _fastPath(destination == interface || destination.isGroup) { return true }
        counters.count(RelayDrop.otherHost)
        return false
    }

    /// Whether a frame to a group of interfaces holds a packet to a group of hosts: what was broadcast to a
    /// link but meant for one host goes no further (RFC 1812 section 5.3.4, RFC 1122 section 3.3.6). Each relay
    /// on the link would send a copy of it.
    @inlinable @inline(__always)
    static func isMeant(
        _ headers: FlowHeaders, _ frame: RawSpan, _ counters: borrowing RelayCounters
    ) -> Bool {
        guard let destination = EthernetView.destination(of: frame), _slowPath(destination.isGroup),
            !headers.destinationAddress.isMulticast
        else { return true }
        counters.count(RelayDrop.otherHost)
        return false
    }

    /// Whether the packet came from another host.
    @inlinable @inline(__always)
    mutating func isForeign(_ headers: FlowHeaders, _ counters: borrowing RelayCounters) -> Bool {
        guard _slowPath(table.isOwnSource(headers)) else { return true }
        counters.count(RelayDrop.ownAddress)
        return false
    }

    @inlinable @inline(__always)
    static func checksum(_ headers: FlowHeaders, _ frame: RawSpan, _ arrival: Arrival) -> Checksum {
        if arrival.isChecksumPartial { return .left }
        // What a device says of a checksum that is not there doesn't count.
        if arrival.isChecksumVerified && headers.udpChecksum != 0 { return .carried }
        switch headers.udpChecksumState(in: frame) {
        case .valid: return .carried
        case .absent: return .absent
        case .partial: return .left
        case .wrong: return headers.udpChecksum == 0 ? .missing : .wrong
        }
    }

    /// Keeps what the next passes need of a packet, of which `bytes` are the first or all.
    @inlinable @inline(__always)
    mutating func take(
        _ headers: FlowHeaders, _ bytes: RawSpan, _ rest: UInt16, _ checksum: Checksum, _ time: UInt64,
        _ seen: inout Seen
    ) {
        let key = EndpointIndex.Key(
            high: headers.destinationHigh, low: headers.destinationLow, port: headers.destinationPort,
            isIPv6: headers.isIPv6)
        let place = table.listeners.place(of: key)
        table.listeners.entries.prefetch(place)
        (seen.destination, seen.place) = (key, UInt32(truncatingIfNeeded: place))
        seen.time = time
        seen.found = Accepted(headers, rest: rest, checksum: checksum)
        seen.wayCount = 0
        let end = min(headers.payloadOffset &+ headers.payloadLength, bytes.byteCount)
        let payload = bytes.extracting(headers.payloadOffset..<end)
        if _slowPath(RTPView.isRTCP(payload)) {
            seen.rtp = Seen.Kind.rtcp
        } else {
            do throws(ParseFailure) {
                let packet = try RTPHeader(checking: payload)
                (seen.rtp, seen.ssrc) = (packet.word, packet.ssrc)
            } catch {
                seen.rtp = Seen.Kind.other
            }
        }
    }
}
