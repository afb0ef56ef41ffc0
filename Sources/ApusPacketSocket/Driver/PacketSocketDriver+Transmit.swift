public import ApusPorts
import ApusRings
import CLinux
import Glibc

extension PacketSocketDriver {
    /// Copies packets from the front of `burst` to the ring; those it has no room for stay.
    ///
    /// A packet of several segments becomes one. Packets longer than the interface sends are counted
    /// as `too_long`, those shorter than an Ethernet header as `send_refused`; both count as taken.
    /// - Returns: how many packets were taken.
    public mutating func transmit(_ burst: inout Burst) -> Int {
        let count = burst.count
        var taken = 0
        var mayKick = true
        while taken < count {
            let frame = unsafe burst.rawFrame(at: taken)
            if _slowPath(unsafe !frame.header.pointee.flags.isDisjoint(with: .unfinished)),
                unsafe !frame.finish()
            {
                counters.drops[.sendRefused] &+= 1
                unsafe frame.release()
                taken &+= 1
                continue
            }
            let length = unsafe Self.length(of: frame)
            guard unsafe canSend(frame, length: length) else {
                unsafe frame.release()
                taken &+= 1
                continue
            }
            if unsafe !transmitRing.hasRoom {
                // Once a call: the kernel either takes what waits in the ring now or is busy.
                guard mayKick else { break }
                mayKick = false
                kick()
                if unsafe !transmitRing.hasRoom { break }
            }
            unsafe Self.gather(frame, at: transmitRing.target)
            unsafe transmitRing.commit(length: length)
            unsafe frame.release()
            taken &+= 1
        }
        unsafe burst.forgetFirst(taken)
        return taken
    }

    /// Gives the kernel what waits in the ring: one sendmmsg(2), which never blocks; none when nothing waits.
    ///
    /// What it can't take now, as the socket's buffer is full (`EAGAIN`), stays for the next time. So does a packet
    /// that it drops (`ENOBUFS`), as a full queue does: it is offered again, eight times at least and for 20 ms at least.
    /// If that is in vain, it is dropped and counted as `send_refused`. Where that comes to several in a row, whatever
    /// else the kernel drops is dropped at once for a second. Each is one more system call. While the interface is down
    /// or gone, what waits is dropped and counted as `link_down` or `send_refused`, so that it does not leave stale when
    /// it is back.
    ///
    /// What the kernel has taken counts as sent. Without a carrier its queueing discipline takes packets too, and drops
    /// them without telling: see ``PortStatistics/sent``.
    public mutating func flush() { kick() }

    /// The bytes in all segments.
    @inline(__always)
    private static func length(of frame: Frame) -> Int {
        var length = unsafe Int(frame.header.pointee.length)
        var next = unsafe frame.header.pointee.next
        while let header = unsafe next {
            unsafe length &+= Int(header.pointee.length)
            unsafe next = header.pointee.next
        }
        return length
    }

    /// Copies all segments. The target must have room for them.
    @inline(__always)
    private static func gather(_ frame: Frame, at target: UnsafeMutableRawPointer) {
        var target = unsafe target
        var segment: UnsafeMutablePointer<FrameHeader>? = unsafe frame.header
        while let header = unsafe segment {
            let length = unsafe Int(header.pointee.length)
            // Sound: every driver and mutator keeps offset and length within the slot, and
            // `canSend` has checked that the sum fits the target.
            unsafe _ = memcpy(target, Frame(header: header).data, length)
            unsafe target += length
            unsafe segment = header.pointee.next
        }
    }

    /// Whether the kernel will take a packet of this length; counts it when not.
    @inline(__always)
    private mutating func canSend(_ frame: Frame, length: Int) -> Bool {
        if length <= longestSent, length >= Int(ETH_HLEN) { return true }
        return unsafe canSendUncommon(frame, length: length)
    }

    @inline(never)
    private mutating func canSendUncommon(_ frame: Frame, length: Int) -> Bool {
        if length < Int(ETH_HLEN) {
            counters.drops[.sendRefused] &+= 1
            return false
        }
        if unsafe length <= min(longestSent + 4, transmitRing.room), unsafe frame.header.pointee.length >= 14,
            unsafe Self.isTagged(frame.data)
        {
            return true
        }
        // The MTU may have grown: asked for the first time and then every 256 such packets.
        if unsafe length <= transmitRing.room, counters.drops[.tooLong] & 255 == 0 {
            readMTU()
            if length <= longestSent { return true }
        }
        counters.drops[.tooLong] &+= 1
        return false
    }

    private mutating func readMTU() {
        guard let mtu = queue.currentMTU() else { return }
        longestSent = unsafe min(mtu + Int(ETH_HLEN), transmitRing.room)
    }

    /// Whether it has an 802.1Q tag, which the kernel does not count as part of the MTU (that of
    /// 802.1ad it does: `packet_extra_vlan_len_allowed` in net/packet/af_packet.c).
    private static func isTagged(_ packet: UnsafeRawPointer) -> Bool {
        UInt16(bigEndian: unsafe packet.loadUnaligned(fromByteOffset: 12, as: UInt16.self)) == ETH_P_8021Q
    }

    /// Gives the kernel what waits for it. Never blocks. Bounded: each call but the last takes packets out.
    private mutating func kick() {
        while unsafe transmitRing.pending > 0 {
            patience.begin()
            let sent = unsafe transmitRing.send(on: transmitSocket)
            guard sent > 0 else {
                guard settle(errno) else { return }
                continue
            }
            patience.succeed()
            counters.sent &+= UInt64(truncatingIfNeeded: sent)
            counters.sentBytes &+= UInt64(truncatingIfNeeded: unsafe transmitRing.accept(sent))
        }
    }

    /// After the kernel did not take the first packet: drops it if it never will.
    ///
    /// - Returns: whether to offer it the rest.
    @inline(never)
    private mutating func settle(_ error: Int32) -> Bool {
        switch error {
        case EMSGSIZE, EINVAL:
            drop(1, isFirstTooLong() ? .tooLong : .sendRefused)
            return true
        case ENOBUFS, ENOMEM:
            guard patience.isOver() else { return false }
            drop(1, .sendRefused)
            return true
        case EAGAIN, EINTR:
            // The socket's send buffer is full: what was sent before has to leave first.
            return false
        case ENETDOWN, ENXIO, ENODEV:
            // The interface is down or gone: what waits would leave stale when it is back.
            drop(unsafe transmitRing.pending, error == ENETDOWN ? .linkDown : .sendRefused)
            return false
        default:
            // Says nothing of those behind it.
            drop(1, .sendRefused)
            return true
        }
    }

    private mutating func drop(_ count: Int, _ reason: PortDrop) {
        patience.forget()
        unsafe _ = transmitRing.accept(count)
        counters.drops[reason] &+= UInt64(count)
    }

    /// Whether the first packet is longer than the interface sends. The MTU may have shrunk since it was taken.
    private mutating func isFirstTooLong() -> Bool {
        let packet = unsafe transmitRing.firstPacket
        let length = unsafe packet.count - (Self.isTagged(packet.baseAddress!) ? 4 : 0)
        if length <= longestSent { readMTU() }
        return length > longestSent
    }
}
