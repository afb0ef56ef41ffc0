import ApusRings
import ApusWire

extension Packet {
    /// Does in software what was left to whoever sends the packet: puts a tag that is in ``vlan`` back among the bytes, and
    /// computes a UDP or TCP checksum of which only the pseudo header's part is there (``FrameFlags/checksumPartial``).
    ///
    /// Ports do so with what they send, as far as their devices don't; a packet in several segments is summed over all. Cost:
    /// a tag moves 12 bytes; a checksum reads the packet.
    /// - Returns: `false`, and the tag is left, when it is shorter than two addresses or its frame has no room for it.
    public mutating func finish() -> Bool { unsafe frame.finish() }
}

extension Frame {
    /// See ``Packet/finish()``. For drivers, of frames that are theirs alone.
    @inline(never)
    package func finish() -> Bool {
        let flags = unsafe header.pointee.flags
        if flags.contains(.checksumPartial) { unsafe completeChecksum() }
        return unsafe !flags.contains(.vlanTag) || insertTag()
    }

    /// Takes the outermost tag off where it is one of 802.1Q (0x8100) and a whole one, with a type behind it.
    @inline(__always)
    package func stripTag() {
        guard unsafe header.pointee.length >= 18 else { return }
        // Sound, here and below: the loads and stores are within the data, whose length was just compared.
        let start = unsafe data
        guard
            unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian
                == EtherType.vlan.rawValue
        else { return }
        unsafe header.pointee.vlan = start.loadUnaligned(fromByteOffset: 14, as: UInt16.self).bigEndian
        let addresses = unsafe (
            start.loadUnaligned(as: UInt64.self), start.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        )
        unsafe start.storeBytes(of: addresses.0, toByteOffset: 4, as: UInt64.self)
        unsafe start.storeBytes(of: addresses.1, toByteOffset: 12, as: UInt32.self)
        unsafe header.pointee.offset &+= 4
        unsafe header.pointee.length &-= 4
        unsafe header.pointee.flags.insert(.vlanTag)
    }

    /// Puts the tag behind the addresses, which move to the front, or if there is no room all that follows to the back.
    package func insertTag() -> Bool {
        let packet = unsafe header.pointee
        let length = unsafe packet.length
        guard length >= 12 else { return false }
        if unsafe packet.offset >= UInt32(FramePool.headerSize) + 4 {
            unsafe header.pointee.offset -= 4
            // Sound: there are four octets in front that are the frame's.
            unsafe data.copyMemory(from: data + 4, byteCount: 12)
        } else if unsafe packet.slotSize - packet.offset - length >= 4 {
            unsafe (data + 16).copyMemory(from: data + 12, byteCount: Int(length) - 12)
        } else {
            return false
        }
        unsafe data.storeBytes(of: EtherType.vlan.rawValue.bigEndian, toByteOffset: 12, as: UInt16.self)
        unsafe data.storeBytes(of: packet.vlan.bigEndian, toByteOffset: 14, as: UInt16.self)
        unsafe header.pointee.length = length + 4
        unsafe header.pointee.flags.remove(.vlanTag)
        return true
    }

    /// What is neither UDP nor TCP, or a fragment, has no checksum that was left, and stays as it is.
    package func completeChecksum() {
        unsafe header.pointee.flags.remove(.checksumPartial)
        // Sound: the frame is the caller's alone.
        var packet = unsafe Packet(adopting: self)
        packet.completeChecksum()
        unsafe _ = packet.takeFrame()
    }
}

extension Packet {
    /// Where its UDP or TCP checksum stands; `nil` when it has none.
    package var transportChecksum: TransportChecksum? {
        TransportChecksum(in: bytes, byteCount: totalCount)
    }

    fileprivate mutating func completeChecksum() {
        guard let place = transportChecksum else { return }
        var first = mutableBytes
        first.storeBytes(of: 0, toByteOffset: place.fieldOffset, as: UInt16.self)
        var (sum, start, left, isOdd) = (place.pseudoHeader, place.transportOffset, place.byteCount, false)
        forEachSegment { segment in
            let count = min(left, segment.byteCount - start)
            var piece = InternetChecksum()
            piece.add(segment.extracting(start..<start + count))
            // A piece that begins at an odd offset counts with its octets exchanged (RFC 1071 section 2(B)).
            sum.add(isOdd ? piece.folded.byteSwapped : piece.folded)
            if count % 2 == 1 { isOdd.toggle() }
            (start, left) = (0, left - count)
        }
        var bytes = mutableBytes
        bytes.storeBytes(
            of: place.value(of: sum).bigEndian, toByteOffset: place.fieldOffset, as: UInt16.self)
    }
}
