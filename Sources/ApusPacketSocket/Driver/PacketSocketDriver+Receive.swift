public import ApusPorts
import ApusRings
import CLinux
import Glibc

extension PacketSocketDriver {
    /// Copies packets out of the ring, at most what `burst` has room for, without waiting.
    ///
    /// One that does not fit a frame is counted as `too_long` and uses up room of the call too. Such
    /// are jumbo frames, and the super-packets that the kernel makes of several of a TCP flow:
    /// `ethtool -K INTERFACE gro off` keeps it from that. Datagrams that it has merged (`UDP_SEGMENT` of udp(7),
    /// rx-udp-gro-forwarding, rx-gro-list) are parted again, where the grant says so: each is a packet of its own,
    /// with right lengths and checksums.
    /// - Returns: how many packets were appended.
    public mutating func receive(into burst: inout Burst) -> Int {
        // Packets looked at, delivered or not, so that a flood of unfit ones can't hold the caller.
        var budget = burst.room
        let before = burst.count
        var bytes = 0
        let longest = longestReceived
        if unsafe receiveRing.usesBlocks {
            while budget > 0, unsafe receiveRing.hasPacket() {
                guard receiveAny(into: &burst, &budget, &bytes) else { break }
            }
        } else {
            var placed = unsafe burst.beginPlacing()
            while budget > 0, let slot = unsafe receiveRing.nextSlot() {
                // What hardly any packet is goes the long way: merged, tagged, or longer than the ring or a frame.
                guard let length = unsafe receiveRing.plainLength(of: slot), length <= longest else {
                    unsafe burst.endPlacing(at: placed)
                    let goesOn = receiveOther(into: &burst, &budget, &bytes)
                    placed = unsafe burst.beginPlacing()
                    guard goesOn else { break }
                    continue
                }
                unsafe receiveRing.prefetchRest(behind: slot, length: length)
                guard let frame = unsafe pool.takeRaw() else { break }
                let header = unsafe slot.assumingMemoryBound(to: tpacket2_hdr.self)
                unsafe describe(
                    seconds: header.pointee.tp_sec, nanoseconds: header.pointee.tp_nsec,
                    status: header.pointee.tp_status, length: length, in: frame)
                // Sound: the length was compared with what the kernel has captured, and with what fits a frame.
                unsafe _ = memcpy(frame.data, slot + Int(header.pointee.tp_mac), length)
                unsafe receiveRing.advanceSlot()
                unsafe burst.place(frame, at: placed)
                placed &+= 1
                budget &-= 1
                bytes &+= length
            }
            unsafe burst.endPlacing(at: placed)
        }
        let packets = burst.count &- before
        if packets == 0 {
            emptyPolls &+= 1
            if emptyPolls & 255 == 0 { takeSocketError() }
            return 0
        }
        counters.received &+= UInt64(truncatingIfNeeded: packets)
        counters.receivedBytes &+= UInt64(truncatingIfNeeded: bytes)
        return packets
    }

    /// The same as ``receiveAny(into:_:_:)``, with copies of the counts: those of a loop stay in registers so.
    @inline(__always)
    private mutating func receiveOther(
        into burst: inout Burst, _ budget: inout Int, _ bytes: inout Int
    ) -> Bool {
        var counts = (budget, bytes)
        defer { (budget, bytes) = counts }
        return receiveAny(into: &burst, &counts.0, &counts.1)
    }

    /// Copies the packet at the front of the ring, of whatever kind it is.
    ///
    /// - Returns: `false` when there was no frame for it, and it is still there.
    @inline(never)
    private mutating func receiveAny(
        into burst: inout Burst, _ budget: inout Int, _ bytes: inout Int
    ) -> Bool {
        let packet = unsafe receiveRing.current
        let tag = unsafe packet.status & UInt32(TP_STATUS_VLAN_VALID) != 0 ? 4 : 0
        if unsafe packet.isMerged {
            return unsafe receiveMerged(packet, tag: tag, into: &burst, &budget, &bytes)
        }
        let length = unsafe Int(truncatingIfNeeded: packet.length) &+ tag
        budget &-= 1
        // Captured less than there was: it did not fit the ring, which fits all that a frame does.
        // A tag goes behind the 12 bytes of the addresses, which no kernel leaves out.
        if unsafe length > longestReceived || packet.captured < packet.length || length < tag &* 4 {
            unsafe drop(packet, length < tag &* 4 ? .badDescriptor : .tooLong)
            return true
        }
        guard let frame = unsafe pool.takeRaw() else { return false }
        unsafe copy(packet, length: length, tag: tag, to: frame)
        unsafe receiveRing.advance()
        unsafe burst.append(frame)
        bytes &+= length
        return true
    }

    /// Fills in what a frame says of a packet of that length.
    @inline(__always)
    func describe(_ packet: RingPacket, length: Int, in frame: Frame) {
        unsafe describe(
            seconds: packet.seconds, nanoseconds: packet.nanoseconds, status: packet.status, length: length,
            in: frame)
    }

    @inline(__always)
    private func describe(
        seconds: UInt32, nanoseconds: UInt32, status: UInt32, length: Int, in frame: Frame
    ) {
        let header = unsafe frame.header
        unsafe header.pointee.offset = UInt32(FramePool.dataOffset)
        unsafe header.pointee.length = UInt32(truncatingIfNeeded: length)
        unsafe header.pointee.timestamp = UInt64(seconds) &* 1_000_000_000 &+ UInt64(nanoseconds)
        unsafe header.pointee.port = portNumber
        unsafe header.pointee.queue = queueNumber
        unsafe header.pointee.flags = Self.flags(of: status)
    }

    @inline(__always)
    private func copy(_ packet: RingPacket, length: Int, tag: Int, to frame: Frame) {
        unsafe describe(packet, length: length, in: frame)
        // Sound: `receive` has checked that `length` fits the frame behind `dataOffset`, that the kernel has
        // captured `length - tag` bytes at `data`, and that with a tag `length` is 16 at least.
        let target = unsafe frame.data
        if tag == 0 {
            unsafe _ = memcpy(target, packet.data, length)
        } else {
            unsafe _ = memcpy(target, packet.data, 12)
            unsafe Self.putTag(of: packet, in: target)
            unsafe _ = memcpy(target + 16, packet.data + 12, length &- 16)
        }
    }

    /// Puts the outer tag, which the kernel has taken off (IEEE 802.1Q, 9.6), back behind the addresses.
    @inline(__always)
    static func putTag(of packet: RingPacket, in target: UnsafeMutableRawPointer) {
        let known = unsafe packet.status & UInt32(TP_STATUS_VLAN_TPID_VALID) != 0
        let ethertype = unsafe known ? packet.tagProtocol : UInt16(ETH_P_8021Q)
        unsafe target.storeBytes(of: ethertype.bigEndian, toByteOffset: 12, as: UInt16.self)
        unsafe target.storeBytes(of: packet.tagControl.bigEndian, toByteOffset: 14, as: UInt16.self)
    }

    @inline(__always)
    private static func flags(of status: UInt32) -> FrameFlags {
        var flags: FrameFlags = []
        if status & UInt32(TP_STATUS_CSUMNOTREADY) != 0 { flags.insert(.checksumPartial) }
        if status & UInt32(TP_STATUS_CSUM_VALID) != 0 { flags.insert(.checksumVerified) }
        if status & UInt32(TP_STATUS_TS_RAW_HARDWARE) != 0 { flags.insert(.hardwareTimestamp) }
        return flags
    }

    /// Looks after the ring and reads the socket's error, which the kernel sets when the interface goes down. While it is not
    /// read, poll(2) on the socket returns at once.
    @inline(never)
    private mutating func takeSocketError() {
        takeDrops()
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        unsafe getsockopt(receiveSocket, SOL_SOCKET, SO_ERROR, &error, &size)
        guard error == ENETDOWN else { return }
        timesDown += 1
        isDetached = queue.isDetached
    }
}
