import ApusPorts
import ApusRings
import CLinux
import Glibc

/// What there is to do besides receiving ordinary packets: out of line, so that those cost nothing more.
extension PacketSocketDriver {
    /// Parts the merged datagrams that are at the front of the ring, one frame for each, until all are done or
    /// `budget` is. The packet stays at the front of the ring until then.
    ///
    /// - Returns: `false` when the pool has no frame left.
    @inline(never)
    mutating func receiveMerged(
        _ packet: RingPacket, tag: Int, into burst: inout Burst, _ budget: inout Int,
        _ bytes: inout Int
    ) -> Bool {
        if unsafe merged == nil {
            unsafe merged = readMerged(packet)
            guard unsafe merged != nil else {
                budget &-= 1
                let header = unsafe VirtioHeader(in: packet.data - VirtioHeader.byteCount)
                // Of headers that are longer than usual some octets are taken for payload.
                let payload = max(1, unsafe Int(packet.length) &- Self.usualHeaders)
                let size = header.segmentSize > 0 ? header.segmentSize : payload
                counters.drops[.merged] &+= UInt64((payload &+ size &- 1) / size)
                unsafe receiveRing.advance()
                return true
            }
        }
        while budget > 0 {
            let length = unsafe merged!.nextLength &+ tag
            guard length <= longestReceived else {
                dropMerged()
                budget &-= 1
                return true
            }
            guard let frame = unsafe pool.takeRaw() else { return false }
            guard unsafe length <= Int(frame.header.pointee.slotSize) &- FramePool.dataOffset else {
                unsafe frame.release()
                dropMerged()
                budget &-= 1
                return true
            }
            unsafe describe(packet, length: length, in: frame)
            unsafe frame.header.pointee.flags.remove(.checksumPartial)
            unsafe frame.header.pointee.flags.insert(.checksumVerified)
            // Sound: it was seen that `length` fits the frame behind `dataOffset`.
            unsafe merged!.writeNext(to: frame.data, tag: tag)
            if tag > 0 { unsafe Self.putTag(of: packet, in: frame.data) }
            unsafe burst.append(frame)
            bytes &+= length
            budget &-= 1
            if unsafe merged!.count == 0 {
                unsafe merged = nil
                unsafe receiveRing.advance()
                return true
            }
        }
        return true
    }

    /// Ethernet, IPv4 and UDP.
    private static var usualHeaders: Int { 42 }

    private mutating func dropMerged() {
        counters.drops[.tooLong] &+= UInt64(unsafe merged!.count)
        unsafe merged = nil
        unsafe receiveRing.advance()
    }

    /// The merged packet in the slot, or, where the slot is too small for it, the copy that the kernel has queued.
    private mutating func readMerged(_ packet: RingPacket) -> MergedDatagrams? {
        let length = unsafe Int(packet.length)
        if unsafe packet.captured == packet.length {
            let header = unsafe VirtioHeader(in: packet.data - VirtioHeader.byteCount)
            return unsafe MergedDatagrams(at: packet.data, byteCount: length, header)
        }
        guard unsafe packet.status & UInt32(TP_STATUS_COPY) != 0, let copy = unsafe copyBuffer else {
            return nil
        }
        // Sound: the kernel writes at most the size it is given.
        let count = unsafe recvfrom(
            receiveSocket, copy, PacketSocketQueue.copySize, APUS_MSG_DONTWAIT, nil, nil)
        guard count == VirtioHeader.byteCount &+ length else { return nil }
        return unsafe MergedDatagrams(
            at: copy + VirtioHeader.byteCount, byteCount: length, VirtioHeader(in: copy))
    }

    /// Counts a packet that can't be delivered, and takes the copy of it, if there is one, out of the queue.
    @inline(never)
    mutating func drop(_ packet: RingPacket, _ reason: PortDrop) {
        counters.drops[reason] &+= 1
        if unsafe packet.status & UInt32(TP_STATUS_COPY) != 0 {
            unsafe _ = recvfrom(
                receiveSocket, copyBuffer, VirtioHeader.byteCount, APUS_MSG_DONTWAIT, nil, nil)
        }
        unsafe receiveRing.advance()
    }

    /// Adds up the kernel's drops, and makes the ring anew when it is stuck.
    ///
    /// With `PACKET_VNET_HDR` the kernel drops packets whose kind of merging it has no name for (fragmentation
    /// offload of UDP, as guests may use it), and then never gives the slot free that it had taken for one
    /// (`rx_owner_map` of tpacket_rcv in net/packet/af_packet.c, seen up to Linux 6.18): from then on it drops all.
    /// It shows as drops while the ring is empty and nothing was taken out of it in between.
    @inline(never)
    mutating func takeDrops() {
        var kernel = tpacket_stats_v3()
        // Asking resets the kernel's counters, so they are added up here. (TP_STATUS_LOSING in a packet's
        // status only says that there is something to ask for.)
        // Sound: the kernel writes at most the size it is given.
        var size = socklen_t(MemoryLayout<tpacket_stats_v3>.size)
        guard unsafe getsockopt(receiveSocket, SOL_PACKET, PACKET_STATISTICS, &kernel, &size) == 0 else {
            return
        }
        counters.drops[.receiveRingFull] += UInt64(kernel.tp_drops)
        guard unsafe receiveRing.knowsMerged, unsafe !receiveRing.usesBlocks else { return }
        let dropped = counters.drops[.tooLong] &+ counters.drops[.merged] &+ counters.drops[.badDescriptor]
        let taken = counters.received &+ dropped
        let isEmpty = unsafe !receiveRing.hasPacket()
        if isEmpty, takenWhenEmpty == taken, kernel.tp_drops > 0, queue.renewReceiveRing() {
            unsafe receiveRing = queue.makeReceiveRing()
        }
        takenWhenEmpty = isEmpty ? taken : .max
    }
}
