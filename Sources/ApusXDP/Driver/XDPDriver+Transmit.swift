public import ApusPorts
import ApusRings
import CLinux
import Glibc
import Synchronization

extension XDPDriver {
    /// Puts packets into the TX ring, from the front of `burst`; those there is no room for stay in it.
    ///
    /// They leave at the latest with ``flush()``. While the interface is down they are dropped and counted as
    /// `link_down`, as is what was in the TX ring when it went down: nothing leaves late. (Of a zero-copy port the
    /// device reads the ring by itself, so what is in it stays.)
    public mutating func transmit(_ burst: inout Burst) -> Int {
        if isDown, isStillDown() { return drop(&burst) }
        let wanted = burst.count
        var free = unsafe transmitRing.reserve(UInt32(truncatingIfNeeded: wanted))
        if free < wanted {
            flush()
            free = unsafe transmitRing.reserve(UInt32(truncatingIfNeeded: wanted))
        }
        let limit = unsafe maximum.pointee.load(ordering: .relaxed)
        var (taken, written): (Int, UInt32) = (0, 0)
        var (packets, octets): (UInt64, UInt64) = (0, 0)
        while taken < wanted {
            let frame = unsafe burst.rawFrame(at: taken)
            let header = unsafe frame.header
            if _slowPath(unsafe !header.pointee.flags.isDisjoint(with: .unfinished)), unsafe !frame.finish() {
                counters.drops[.sendRefused] &+= 1
                unsafe frame.release()
                taken &+= 1
                continue
            }
            if unsafe header.pointee.next != nil {
                let sent = unsafe transmitSegments(frame, limit, free: free, &written)
                if sent < 0 { break }
                packets &+= sent > 0 ? 1 : 0
                octets &+= UInt64(sent)
                taken &+= 1
                continue
            }
            if written == free { break }
            let length = unsafe header.pointee.length
            let address = unsafe UInt64(bitPattern: Int64(UnsafeRawPointer(header) - UnsafeRawPointer(base)))
            taken &+= 1
            if let drop = refusal(address, length, Int(length), limit) {
                counters.drops[drop] &+= 1
                unsafe frame.release()
                continue
            }
            unsafe places[Int(address >> shift)] = XDPQueue.Place.sending.rawValue
            unsafe transmitRing.write(
                XDPDescriptor(
                    address: address &+ UInt64(header.pointee.offset), length: length, options: 0),
                at: written)
            written &+= 1
            packets &+= 1
            octets &+= UInt64(length)
        }
        unsafe burst.forgetFirst(taken)
        if written > 0 {
            unsafe transmitRing.submit(written)
            sending &+= written
            counters.sent &+= packets
            counters.sentBytes &+= octets
        }
        return taken
    }

    /// Why a frame can't be sent: `nil` when it can.
    @inline(__always)
    private func refusal(_ address: UInt64, _ length: UInt32, _ total: Int, _ limit: Int) -> PortDrop? {
        if address >> shift >= slotCount { return .foreignMemory }
        if total > limit { return .tooLong }
        if length == 0 { return .invalidDescriptor }
        return isGone ? .sendRefused : nil
    }

    /// A packet in several frames.
    ///
    /// - Returns: its length; 0 when it was dropped; -1 when the ring has no room for all of it.
    @inline(never)
    private mutating func transmitSegments(
        _ frame: Frame, _ limit: Int, free: UInt32, _ written: inout UInt32
    ) -> Int {
        // MAX_SKB_FRAGS of the kernel, and the linear part.
        let most = 18
        var (count, total) = (0, 0)
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe frame.header
        var drop: PortDrop? = takesSegments ? nil : .tooLong
        while let header = unsafe next {
            let length = unsafe header.pointee.length
            let address = unsafe UInt64(bitPattern: Int64(UnsafeRawPointer(header) - UnsafeRawPointer(base)))
            (count, total) = (count &+ 1, total &+ Int(length))
            drop = drop ?? refusal(address, length, total, limit)
            unsafe next = header.pointee.next
        }
        if count > most { drop = drop ?? .tooLong }
        if let drop {
            counters.drops[drop] &+= 1
            unsafe frame.release()
            return 0
        }
        if free &- written < UInt32(truncatingIfNeeded: count) {
            // More segments than the whole ring has entries would wait for ever.
            guard unsafe count > Int(transmitRing.size) else { return -1 }
            counters.drops[.tooLong] &+= 1
            unsafe frame.release()
            return 0
        }
        unsafe next = frame.header
        while let header = unsafe next {
            unsafe next = header.pointee.next
            // Each segment completes, and goes home, by itself.
            unsafe header.pointee.next = nil
            let address = unsafe UInt64(UInt(bitPattern: UnsafeRawPointer(header) - UnsafeRawPointer(base)))
            unsafe places[Int(address >> shift)] = XDPQueue.Place.sending.rawValue
            unsafe transmitRing.write(
                XDPDescriptor(
                    address: address &+ UInt64(header.pointee.offset), length: header.pointee.length,
                    options: next == nil ? 0 : XDPDescriptor.continued),
                at: written)
            written &+= 1
        }
        return total
    }

    /// Wakes the kernel if packets wait in the TX ring and it wants to be woken; takes back the frames of
    /// those that have left.
    public mutating func flush() {
        if sending == 0 { return }
        if unsafe transmitRing.pending() > 0, unsafe isBusyPolling || transmitRing.needsWakeup { kick() }
        reclaim()
    }

    /// Gives frames that the kernel has sent back to their pools.
    @inline(never)
    mutating func reclaim() {
        let done = unsafe completionRing.available(completionRing.size)
        var index: UInt32 = 0
        while index < done {
            let slot = unsafe completionRing[index] >> shift
            index &+= 1
            guard slot < slotCount, unsafe places[Int(slot)] == XDPQueue.Place.sending.rawValue else {
                continue
            }
            unsafe places[Int(slot)] = XDPQueue.Place.outside.rawValue
            sending &-= 1
            // Sound: the slot held a frame when it was marked, and the kernel has let go of it.
            unsafe Frame(
                header: (base + Int(slot << shift)).assumingMemoryBound(to: FrameHeader.self)
            ).release()
        }
        if done > 0 { unsafe completionRing.release(done) }
    }

    /// Makes the kernel send, over and over while it takes packets: in copy mode it stops after a budget of
    /// 16 or 32 and says EAGAIN.
    ///
    /// Kernels before Linux 6.17 publish how far they came with the next call only, so one call that seems to
    /// have done nothing is no reason to stop; two are. Bounded: of any two rounds but the last two, one
    /// consumes an entry of the TX ring or completes one. What is left then, for want of socket buffers, is
    /// tried again by the next flush.
    @inline(never)
    mutating func kick() {
        isDown = false
        var pending = unsafe transmitRing.pending()
        var inside = sending
        var roundsWithout = 0
        while pending > 0 {
            wakeups.transmit &+= 1
            let sent = sendto(descriptor, nil, 0, APUS_MSG_DONTWAIT, nil, 0)
            if sent < 0 {
                switch errno {
                case EAGAIN, ENOBUFS:
                    break
                case EBUSY where !isZeroCopy:
                    reclaim()
                    takeBackDropped()
                case ENETDOWN:
                    isDown = true
                    return withdraw(.linkDown)
                case ENXIO, ENODEV:
                    isGone = true
                    return withdraw(.sendRefused)
                default:
                    return
                }
            } else if isZeroCopy {
                // The driver sends by itself from here on.
                return
            }
            reclaim()
            let left = unsafe transmitRing.pending()
            roundsWithout = left == pending && sending == inside ? roundsWithout &+ 1 : 0
            if roundsWithout == 2 { return }
            (pending, inside) = (left, sending)
        }
    }
}
