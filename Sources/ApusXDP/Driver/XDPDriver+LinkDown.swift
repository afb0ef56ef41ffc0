import ApusPorts
import ApusRings

/// What becomes of packets while the interface is down (`ip link set … down`). A packet of a real-time stream that
/// leaves when it is up again, minutes late, is worse than one that is lost.
extension XDPDriver {
    /// Asks the kernel whether the interface is still down: one system call, made by the first burst after it
    /// came up, and by each one until then.
    @inline(never)
    mutating func isStillDown() -> Bool {
        kick()
        return isDown
    }

    /// Drops a burst.
    @inline(never)
    mutating func drop(_ burst: inout Burst) -> Int {
        let count = burst.count
        counters.drops[.linkDown] &+= UInt64(count)
        burst.removeAll()
        return count
    }

    /// Takes back what waits in the TX ring, and counts it as dropped for that reason.
    ///
    /// Entries can't be taken out of the ring, but they can be made void: the kernel passes over an address that
    /// lies outside the memory. That is safe in copy mode, where the kernel looks at the ring in our system calls
    /// only, and they come to nothing now. The device of a zero-copy port may look at any time.
    @inline(never)
    mutating func withdraw(_ reason: PortDrop) {
        reclaim()
        if isZeroCopy { return }
        var (packets, octets): (UInt64, UInt64) = (0, 0)
        let pending = unsafe min(transmitRing.pending(), transmitRing.size)
        for offset in 0..<pending {
            let entry = unsafe transmitRing[pending: offset]
            let slot = entry.address >> shift
            // Void already.
            guard slot < slotCount else { continue }
            unsafe transmitRing[pending: offset] = XDPDescriptor(address: .max, length: 0, options: 0)
            voided &+= 1
            // One that the kernel has consumed without saying so yet (before Linux 6.17) has come home above:
            // the interface is not down before the device has let go of its packets.
            guard unsafe places[Int(slot)] == XDPQueue.Place.sending.rawValue else { continue }
            unsafe places[Int(slot)] = XDPQueue.Place.outside.rawValue
            sending &-= 1
            packets &+= entry.options & XDPDescriptor.continued == 0 ? 1 : 0
            octets &+= UInt64(entry.length)
            // Sound: the slot held a frame when it was marked, and the kernel will not look at it.
            unsafe Frame(
                header: (base + Int(slot << shift)).assumingMemoryBound(to: FrameHeader.self)
            ).release()
        }
        counters.sent &-= packets
        counters.sentBytes &-= octets
        counters.drops[reason] &+= packets
    }

    /// Counts the packet that the device dropped in the last sendto(2), which said EBUSY, as refused, and no more as
    /// sent: there was no carrier, or the driver had no room (NET_XMIT_DROP, `__xsk_generic_xmit` of net/xdp/xsk.c).
    ///
    /// It was completed all the same, before the call returned, and the kernel took nothing from the TX ring after
    /// it. So it is the newest that is not being sent any more, once what has completed was reclaimed. How far the
    /// kernel says that it came is no help: it may say so with a later call only.
    ///
    /// Cost: a look at each packet behind it in the TX ring.
    @inline(never)
    mutating func takeBackDropped() {
        var distance: UInt32 = 1
        while unsafe distance <= transmitRing.size {
            let slot = unsafe transmitRing[newest: distance].address >> shift
            guard slot < slotCount, unsafe places[Int(slot)] == XDPQueue.Place.sending.rawValue else { break }
            distance &+= 1
        }
        // Its last segment, and those in front of that.
        var octets: UInt64 = 0
        var isLast = true
        while unsafe distance <= transmitRing.size {
            let entry = unsafe transmitRing[newest: distance]
            guard isLast || entry.options & XDPDescriptor.continued != 0 else { break }
            octets &+= UInt64(entry.length)
            distance &+= 1
            isLast = false
        }
        counters.sent &-= 1
        counters.sentBytes &-= octets
        counters.drops[.sendRefused] &+= 1
    }
}
