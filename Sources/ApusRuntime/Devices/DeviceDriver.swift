import ApusPorts
import ApusRings
import ApusWire

/// A queue of a device that the kernel does not have, as a worker of the forwarder uses it: what a host has to answer goes to
/// the control thread, and what that has to say is sent.
///
/// Costs a handful of comparisons for each received packet, and one load a round.
struct DeviceDriver<Own: CountingDriver & ~Copyable>: FinishingDriver, ~Copyable {
    var own: Port<Own>
    private var side: DeviceSide.WorkerEnd
    /// Messages of the host's that the device had no room for yet.
    private var unsent = Burst()
    /// What the port has counted and is none of the relay's: messages to the host, and what that says.
    private var messages = PortStatistics()
    /// At the last look: what of the relay's the driver had taken, what the device had not sent of all that, and messages among it.
    private var seen = (relayed: 0 as UInt64, lost: 0 as UInt64, refused: 0 as UInt64)

    private let waiting: DeviceWaiting

    init(
        _ own: consuming Port<Own>, name: String, side: consuming DeviceSide.WorkerEnd
    ) throws(ServiceError) {
        let granted = own.grant
        grant = PortGrant(
            backend: granted.backend, interface: name, queue: granted.queue, features: granted.features)
        waiting = try DeviceWaiting(own.driver.readyDescriptor, side.worker.descriptor)
        self.own = own
        self.side = side
    }

    /// Receives what is no message to the host.
    @inline(__always)
    mutating func receive(into burst: inout Burst) -> Int {
        let before = burst.count
        let count = own.receive(into: &burst)
        var position = before
        while position < burst.count {
            if _slowPath(unsafe Self.isMessage(burst.rawFrame(at: position))) {
                return divert(&burst, from: before)
            }
            position &+= 1
        }
        return count
    }

    /// Takes the messages to the host out of what came, and gives how many packets are left of that.
    @inline(never)
    private mutating func divert(_ burst: inout Burst, from before: Int) -> Int {
        var rest = Burst()
        var (position, hasHanded) = (0, false)
        while let packet = burst.popFirst() {
            if position >= before, Self.isMessage(packet) {
                messages.received &+= 1
                messages.receivedBytes &+= UInt64(packet.totalCount)
                if side.toControl.enqueue(packet) == nil {
                    side.counters.handed.add()
                    hasHanded = true
                } else {
                    side.counters.dropped.add()
                }
            } else {
                rest.append(packet)
            }
            position &+= 1
        }
        swap(&burst, &rest)
        if hasHanded { side.control.ring() }
        return burst.count &- before
    }

    /// In one frame where that is long enough, since not all devices send a packet in several.
    private mutating func copy(of answer: borrowing Packet) -> Packet? {
        guard answer.isSegmented else { return own.copy(of: answer) }
        guard var packet = own.makePacket() else { return nil }
        if packet.gather(answer) { return packet }
        return own.copy(of: answer)
    }

    @inline(__always)
    mutating func transmit(_ burst: inout Burst) -> Int {
        // First: packets may take all the room there is, and messages not.
        if _slowPath(!unsent.isEmpty) { sendMessages() }
        return own.transmit(&burst)
    }

    @inline(__always)
    mutating func flush() {
        if _slowPath(!side.toSend.isEmpty) { takeMessages() }
        if _slowPath(!unsent.isEmpty) { sendMessages() }
        own.flush()
    }

    /// Takes what the control thread has to say, in frames that the device can send.
    @inline(never)
    private mutating func takeMessages() {
        // First: what comes meanwhile rings again.
        side.worker.rearm()
        while unsent.room > 0, let message = side.toSend.dequeue() {
            if let packet = copy(of: message) {
                unsent.append(packet)
            } else {
                side.counters.unsent.add()
            }
        }
    }

    /// What the host had to say leaves as well; what of it the device does not take by then is counted.
    mutating func finish(by deadline: UInt64) -> PortStatistics {
        flush(by: deadline) { !($0.unsent.isEmpty && $0.side.toSend.isEmpty) }
        side.counters.unsent.add(UInt64(unsent.count))
        unsent.removeAll()
        return finishSending(by: deadline)
    }

    @inline(never)
    private mutating func sendMessages() {
        let before = own.driver.counted()
        let taken = own.transmit(&unsent)
        let now = own.driver.counted()
        // Those that it has dropped it took too.
        let sent = now.sent &- before.sent
        messages.sent &+= sent
        messages.sentBytes &+= now.sentBytes &- before.sentBytes
        messages.drops.add(now.drops, since: before.drops)
        side.counters.sent.add(sent)
        side.counters.unsent.add(UInt64(taken) &- sent)
    }

    // By its handle: in this generic code access to a packet in a burst is a coroutine that is called.
    @inline(__always)
    private static func isMessage(_ frame: Frame) -> Bool {
        let length = unsafe Int(truncatingIfNeeded: frame.header.pointee.length)
        // Sound: a frame of a burst has so many bytes there, and the span is not kept.
        return HostMessage(in: unsafe RawSpan(_unsafeStart: UnsafeRawPointer(frame.data), byteCount: length))
            != nil
    }

    @inline(__always)
    private static func isMessage(_ packet: borrowing Packet) -> Bool { HostMessage(in: packet.bytes) != nil }

    var pool: FramePool {
        _read { yield own.driver.pool }
        _modify { yield &own.driver.pool }
    }

    @inline(__always)
    mutating func takeFrame() -> Frame? { unsafe own.driver.takeFrame() }

    func canSend(_ packet: borrowing Packet) -> Bool { own.driver.canSend(packet) }
    var framesInside: Int {
        var waiting = 0
        for position in 0..<unsent.count { waiting += unsent[position].segmentCount }
        return own.driver.framesInside + waiting
    }
    /// Readable when there is something to receive or to send; -1 where the port can't tell of what it receives.
    var readyDescriptor: Int32 { waiting.descriptor }
    /// What a device takes nothing of keeps nobody awake.
    mutating func mayWait() -> Bool {
        // First: who was rung for while it looked may be told of that now, and would be for ever.
        side.worker.rearm()
        return (side.toSend.isEmpty || unsent.room == 0) && own.driver.mayWait()
    }
    var maximumPacketSize: Int { own.driver.maximumPacketSize }
    /// What was granted, by the name that the forwarder has for the device.
    let grant: PortGrant
    /// Those of the port without the messages to the host and from it, see ``DeviceSide/Counters``.
    mutating func statistics() -> PortStatistics {
        var statistics = own.statistics()
        let handed = own.driver.counted().sent
        statistics.received &-= messages.received
        statistics.receivedBytes &-= messages.receivedBytes
        statistics.sentBytes &-= messages.sentBytes
        statistics.drops.subtract(messages.drops)
        // What the device has not sent after all it does not name. Since the last look that was packets of the relay's, as far as
        // it has sent so many since then; the rest was messages.
        let (relayed, lost) = (handed &- messages.sent, handed &- statistics.sent)
        let new = lost &- seen.lost
        let refused = min(messages.sent, seen.refused &+ new &- min(new, relayed &- seen.relayed))
        seen = (relayed, lost, refused)
        statistics.sent &-= messages.sent &- refused
        statistics.drops[.sendRefused] &-= refused
        side.counters.refused.set(refused)
        return statistics
    }
}

/// What a worker sleeps on: the descriptor of a port and the bell for its answers.
struct DeviceWaiting: ~Copyable, Sendable {
    private let set: DescriptorSet?
    /// -1 without a descriptor of the port's: then nothing tells of what it receives.
    let descriptor: Int32

    init(_ port: Int32, _ bell: Int32) throws(ServiceError) {
        guard port >= 0 else {
            set = nil
            descriptor = -1
            return
        }
        let both = try DescriptorSet()
        try both.add(port)
        try both.add(bell)
        descriptor = both.descriptor
        set = consume both
    }
}
