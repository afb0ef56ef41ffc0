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
        var (index, packets): (UInt32, Int) = (0, 0)
        var octets: UInt64 = 0
        while index < available, packets < room {
            let entry = unsafe receiveRing[index]
            if entry.options & XDPDescriptor.continued != 0 {
                let length = receiveSegments(from: &index, available, into: &burst)
                if length < 0 { break }
                if length == 0 { continue }
                octets &+= UInt64(length)
            } else {
                index &+= 1
                guard let frame = unsafe arrived(entry) else {
                    withheld &+= 1
                    counters.drops[.badDescriptor] &+= 1
                    continue
                }
                unsafe burst.append(frame)
                octets &+= UInt64(entry.length)
            }
            packets &+= 1
        }
        unsafe receiveRing.release(index)
        receiving &-= index
        counters.received &+= UInt64(packets)
        counters.receivedBytes &+= octets
        if receiving &+ 32 <= fillTarget || receiving &* 2 < fillTarget { refill() }
        return packets
    }

    /// The frame an RX descriptor speaks of, its header written; `nil` when it is not one we gave, or when the
    /// packet does not lie behind the header within it.
    @inline(__always)
    private func arrived(_ entry: XDPDescriptor) -> Frame? {
        let slot = entry.address >> shift
        let offset = entry.address & (1 &<< shift &- 1)
        guard slot < slotCount, offset >= UInt64(FramePool.headerSize),
            offset &+ UInt64(entry.length) <= 1 &<< shift,
            unsafe places[Int(slot)] == XDPQueue.Place.receiving.rawValue
        else { return nil }
        unsafe places[Int(slot)] = XDPQueue.Place.outside.rawValue
        let start = slot << shift
        // Sound: the slot lies in the memory, and its header was initialized by its pool.
        let header = unsafe (base + Int(start)).assumingMemoryBound(to: FrameHeader.self)
        unsafe header.pointee.timestamp = 0
        unsafe header.pointee.offset = UInt32(truncatingIfNeeded: offset)
        unsafe header.pointee.length = entry.length
        unsafe header.pointee.port = number
        unsafe header.pointee.queue = queue
        unsafe header.pointee.flags = []
        return unsafe Frame(header: header)
    }

    /// A packet of several descriptors, which the kernel publishes all at once.
    ///
    /// - Returns: its length; 0 when it was dropped, for one of them is not to be believed; -1 when its last
    ///   descriptor is not there yet.
    @inline(never)
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
            guard let frame = unsafe arrived(entry) else {
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
        var count: UInt32 = 0
        while count < room, let frame = unsafe poolBox.pointee.takeRaw() {
            let address = unsafe UInt64(
                UInt(bitPattern: UnsafeRawPointer(frame.header) - UnsafeRawPointer(base)))
            // Somebody may have put another pool in place of the queue's.
            guard address >> shift < slotCount else {
                unsafe frame.release()
                break
            }
            unsafe places[Int(address >> shift)] = XDPQueue.Place.receiving.rawValue
            unsafe fillRing.write(address, at: count)
            count &+= 1
        }
        if count > 0 {
            unsafe fillRing.submit(count)
            receiving &+= count
        }
        if !isBusyPolling, unsafe fillRing.needsWakeup { wakeReceiver() }
    }

    @inline(never)
    private mutating func wakeReceiver() {
        wakeups.receive &+= 1
        _ = recvfrom(descriptor, nil, 0, APUS_MSG_DONTWAIT, nil, nil)
    }
}
