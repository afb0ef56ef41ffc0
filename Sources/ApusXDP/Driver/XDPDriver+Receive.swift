public import ApusPorts
import ApusRings
import CLinux
import Glibc

extension XDPDriver {
    /// Receives what is there, at most what `burst` has room for, without waiting; and gives the kernel free
    /// frames for it.
    public mutating func receive(into burst: inout Burst) -> Int {
        let room = burst.room
        let available = unsafe receiveRing.available(UInt32(truncatingIfNeeded: room))
        if available == 0 {
            idle()
            return 0
        }
        let limit = min(available, UInt32(truncatingIfNeeded: room))
        let before = burst.count
        var (index, octets): (UInt32, UInt64) = (0, 0)
        while index < limit {
            receivePlain(from: &index, limit, into: &burst, &octets)
            if index == limit { break }
            // Copies: what is handed over by its address is in no register.
            var (next, length): (UInt32, UInt64) = (index, 0)
            let goesOn = receiveOther(from: &next, available, into: &burst, length: &length)
            (index, octets) = (next, octets &+ length)
            if !goesOn { break }
        }
        let packets = burst.count &- before
        unsafe receiveRing.release(index)
        receiving &-= index
        counters.received &+= UInt64(truncatingIfNeeded: packets)
        counters.receivedBytes &+= octets
        if receiving &+ 32 <= fillTarget || receiving &* 2 < fillTarget { refill() }
        return packets
    }

    /// Takes packets of one descriptor, up to the limit, which is beyond `start`, or to what hardly any packet is.
    @inline(__always)
    private func receivePlain(
        from start: inout UInt32, _ limit: UInt32, into burst: inout Burst, _ octets: inout UInt64
    ) {
        // What stays the same for all packets, so that it is in registers.
        let (entries, slots) = unsafe (receiveRing.window, slots)
        var (position, placed, sum) = unsafe (entries.start &+ start, burst.beginPlacing(), octets)
        let end = unsafe entries.start &+ limit
        while position != end {
            let entry = unsafe entries[at: position]
            guard entry.options & XDPDescriptor.continued == 0, let frame = unsafe slots.arrived(entry) else {
                break
            }
            position &+= 1
            unsafe burst.place(frame, at: placed)
            placed &+= 1
            sum &+= UInt64(entry.length)
        }
        unsafe burst.endPlacing(at: placed)
        (start, octets) = unsafe (position &- entries.start, sum)
    }

    /// What the next descriptor is, if not a packet of its own: one of several, or not to be believed. Apart, so
    /// that it takes no registers from the loop of all others.
    ///
    /// - Parameter length: set to that of the packet; 0 where none was delivered.
    /// - Returns: `false` when the last descriptor of a packet is not there yet.
    @inline(never)
    private mutating func receiveOther(
        from index: inout UInt32, _ available: UInt32, into burst: inout Burst, length: inout UInt64
    ) -> Bool {
        if unsafe receiveRing[index].options & XDPDescriptor.continued == 0 {
            index &+= 1
            withheld &+= 1
            counters.drops[.badDescriptor] &+= 1
            length = 0
            return true
        }
        let found = receiveSegments(from: &index, available, into: &burst)
        length = UInt64(max(0, found))
        return found >= 0
    }

    /// What is known of the slots that frames lie in.
    @unsafe
    struct Slots {
        let base: UnsafeMutableRawPointer
        let places: UnsafeMutablePointer<UInt8>
        let shift: UInt64
        /// The size of a slot, less one.
        let mask: UInt64
        /// The size of all slots.
        let end: UInt64
        let number: UInt16
        let queue: UInt16

        /// The frame an RX descriptor speaks of, its header written; `nil` when it is not one we gave, or when the
        /// packet does not lie behind the header within it.
        @inline(__always)
        func arrived(_ entry: XDPDescriptor) -> Frame? {
            let slot = unsafe entry.address &>> shift
            let offset = unsafe entry.address & mask
            // The last: its end less one, which is not below zero behind the header.
            guard unsafe entry.address < end, offset >= UInt64(FramePool.headerSize),
                unsafe offset &+ UInt64(entry.length) &- 1 <= mask,
                unsafe places[Int(truncatingIfNeeded: slot)] == XDPQueue.Place.receiving.rawValue
            else { return nil }
            unsafe places[Int(truncatingIfNeeded: slot)] = XDPQueue.Place.outside.rawValue
            // Sound: the slot lies in the memory, and its header was initialized by its pool.
            let start = Int(truncatingIfNeeded: entry.address &- offset)
            let header = unsafe (base + start).assumingMemoryBound(to: FrameHeader.self)
            unsafe header.pointee.timestamp = 0
            unsafe header.pointee.offset = UInt32(truncatingIfNeeded: offset)
            unsafe header.pointee.length = entry.length
            unsafe header.pointee.port = number
            unsafe header.pointee.queue = queue
            unsafe header.pointee.flags = []
            return unsafe Frame(header: header)
        }
    }

    @inline(__always)
    var slots: Slots {
        unsafe Slots(
            base: base, places: places, shift: shift, mask: 1 &<< shift &- 1, end: slotCount &<< shift,
            number: number, queue: queue)
    }

    /// A packet of several descriptors, which the kernel publishes all at once.
    ///
    /// - Returns: its length; 0 when it was dropped, for one of them is not to be believed; -1 when its last
    ///   descriptor is not there yet.
    private mutating func receiveSegments(
        from index: inout UInt32, _ available: UInt32, into burst: inout Burst
    ) -> Int {
        var end = index
        while unsafe receiveRing[end].options & XDPDescriptor.continued != 0 {
            end &+= 1
            if end == available { return -1 }
        }
        var (length, isWhole) = (0, true)
        var (first, last): (Frame?, Frame?) = (nil, nil)
        while index <= end {
            let entry = unsafe receiveRing[index]
            index &+= 1
            guard let frame = unsafe slots.arrived(entry) else {
                withheld &+= 1
                isWhole = false
                continue
            }
            length += Int(entry.length)
            if let last = unsafe last {
                unsafe last.header.pointee.next = frame.header
            } else {
                unsafe first = frame
            }
            unsafe last = frame
        }
        guard isWhole, length > 0 else {
            counters.drops[.badDescriptor] &+= 1
            unsafe first?.release()
            return 0
        }
        unsafe burst.append(first!)
        return length
    }

    /// Nothing was there: the kernel may lack frames, or may have to be woken to look for them.
    @inline(never)
    private mutating func idle() {
        if receiving < fillTarget { refill() }
        if isBusyPolling { wakeReceiver() }
    }

    /// Gives the kernel free frames to receive into, up to the target.
    @inline(never)
    mutating func refill() {
        let wanted = fillTarget &- receiving
        let room = unsafe min(wanted, fillRing.reserve(wanted))
        let (base, places, shift) = unsafe (base, places, shift)
        var count: UInt32 = 0
        // The first one alone: somebody may have put a pool of another memory in place of the queue's.
        if room > 0, let frame = unsafe poolBox.pointee.takeRaw() {
            if unsafe isOwn(frame) {
                unsafe give(frame, at: 0, base, places, shift)
                count = 1
                _ = unsafe poolBox.pointee.takeRaw(Int(room) - 1) { frame in
                    unsafe give(frame, at: count, base, places, shift)
                    count &+= 1
                }
            } else {
                unsafe frame.release()
            }
        }
        if count > 0 {
            unsafe fillRing.submit(count)
            receiving &+= count
        }
        if isBusyPolling { return }
        // In copy mode the kernel looks at the fill ring with each packet, and sleeps at none. The fence would wait for
        // all headers that were just written.
        if unsafe isZeroCopy ? fillRing.needsWakeup : fillRing.isWakeupSet { wakeReceiver() }
    }

    /// Whether a frame lies in the memory of the queue.
    @inline(__always)
    private func isOwn(_ frame: Frame) -> Bool {
        let place = unsafe UInt(bitPattern: UnsafeRawPointer(frame.header) - UnsafeRawPointer(base))
        return UInt64(place) &>> shift < slotCount
    }

    /// Writes a frame into the fill ring. What is the same for all is handed over, so that it stays in registers.
    @inline(__always)
    private func give(
        _ frame: Frame, at position: UInt32, _ base: UnsafeMutableRawPointer,
        _ places: UnsafeMutablePointer<UInt8>, _ shift: UInt64
    ) {
        let address = unsafe UInt64(
            UInt(bitPattern: UnsafeRawPointer(frame.header) - UnsafeRawPointer(base)))
        unsafe places[Int(truncatingIfNeeded: address &>> shift)] = XDPQueue.Place.receiving.rawValue
        unsafe fillRing.write(address, at: position)
    }

    @inline(never)
    private mutating func wakeReceiver() {
        wakeups.receive &+= 1
        _ = recvfrom(descriptor, nil, 0, APUS_MSG_DONTWAIT, nil, nil)
    }
}
