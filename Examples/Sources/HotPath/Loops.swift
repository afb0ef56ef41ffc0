import Apus

// The functions that LawTests looks at. None is inlined, so that each can be found by its name.

/// An echo over any driver: receive, parse, change, send.
@inline(__always)
func echo<Driver: PortDriver & ~Copyable>(_ port: inout Port<Driver>, _ burst: inout Burst) -> Int {
    port.receive(into: &burst)
    burst.keep { packet in
        guard let headers = packet.udp, headers.destinationPort == 7 else { return false }
        packet.swapEndpoints(headers)
        return true
    }
    let count = port.transmit(&burst)
    port.flush()
    return count
}

@inline(never)
func hotEchoOverMemory(_ port: inout Port<MemoryDriver>, _ burst: inout Burst, rounds: Int) -> Int {
    var count = 0
    for _ in 0..<rounds { count &+= echo(&port, &burst) }
    return count
}

@inline(never)
func hotEchoOverPacketSocket(
    _ port: inout Port<PacketSocketDriver>, _ burst: inout Burst, rounds: Int
) -> Int {
    var count = 0
    for _ in 0..<rounds { count &+= echo(&port, &burst) }
    return count
}

@inline(never)
func hotEchoOverXDP(_ port: inout Port<XDPDriver>, _ burst: inout Burst, rounds: Int) -> Int {
    var count = 0
    for _ in 0..<rounds { count &+= echo(&port, &burst) }
    return count
}

@inline(never)
func hotEchoOverEither(
    _ port: inout Port<EitherDriver<MemoryDriver, XDPDriver>>, _ burst: inout Burst, rounds: Int
) -> Int {
    var count = 0
    for _ in 0..<rounds { count &+= echo(&port, &burst) }
    return count
}

/// A packet is sealed and its header masked, and it is opened again; its key comes with it, and stays for the second time.
@inline(never)
func hotSealAndOpen(
    _ cipher: inout AEAD, _ protection: inout HeaderProtection, _ packet: inout MutableRawSpan,
    _ key: RawSpan,
    _ vector: Nonce, rounds: Int
) -> Int {
    var count = 0
    for number in 0..<UInt64(rounds) {
        let nonce = Nonce(vector, packetNumber: number)
        cipher.seal(&packet, headerLength: 13, nonce: nonce, key: key)
        let mask = protection.mask(of: packet.bytes.extracting(13..<29), key: key)
        if mask[0] != 0 || mask[4] != 0 { count &+= 1 }
        if cipher.open(&packet, headerLength: 13, nonce: nonce) { count &+= 1 }
        cipher.seal(&packet, headerLength: 13, nonce: nonce)
    }
    return count
}

#if canImport(ApusDPDK)
    @inline(never)
    func hotEchoOverDPDK(_ port: inout Port<DPDKDriver>, _ burst: inout Burst, rounds: Int) -> Int {
        var count = 0
        for _ in 0..<rounds { count &+= echo(&port, &burst) }
        return count
    }

    /// What a device gives is sent, and copies of some, each in a frame of its own.
    @inline(never)
    func hotCopyOverDPDK(_ port: inout Port<DPDKDriver>, _ burst: inout Burst, rounds: Int) -> Int {
        var count = 0
        for _ in 0..<rounds {
            port.receive(into: &burst)
            while burst.count > 32 { _ = burst.popFirst() }
            if !burst.isEmpty {
                while burst.room > 0, let copy = port.copy(of: burst[0]) { burst.append(copy) }
            }
            count &+= port.transmit(&burst)
            port.flush()
        }
        return count
    }
#endif

/// A source of packets: frames are taken, filled and sent.
@inline(never)
func hotGenerate(_ port: inout Port<MemoryDriver>, _ burst: inout Burst, like model: borrowing Packet) -> Int
{
    while burst.room > 0, var packet = port.makePacket() {
        guard packet.replaceBytes(with: model.bytes) else { break }
        burst.append(packet)
    }
    return port.transmit(&burst)
}

/// A sink of packets: frames go home.
@inline(never)
func hotDrain(_ port: inout Port<MemoryDriver>, _ burst: inout Burst) -> Int {
    let count = port.receive(into: &burst)
    burst.removeAll()
    return count
}

/// Frames through a ring between workers and back.
@inline(never)
func hotSPSC(_ ring: inout SPSCRing<UInt64>, _ numbers: inout InlineArray<32, UInt64>, rounds: Int) -> UInt64
{
    var sum: UInt64 = 0
    for _ in 0..<rounds {
        _ = ring.producer.enqueue(bulk: numbers.span)
        if let one = ring.consumer.dequeue() { sum &+= one }
        _ = ring.consumer.dequeue(burst: 32) { sum &+= $0 }
        if ring.producer.enqueue(sum) == nil { _ = ring.consumer.dequeue() }
    }
    return sum
}

/// The same, and with any number of threads.
@inline(never)
func hotMPMC(_ ring: inout MPMCRing<UInt64>, _ numbers: inout InlineArray<32, UInt64>, rounds: Int) -> UInt64
{
    var sum: UInt64 = 0
    for _ in 0..<rounds {
        _ = ring.enqueue(bulk: numbers.span)
        if let one = ring.dequeue() { sum &+= one }
        _ = ring.dequeue(burst: 32) { sum &+= $0 }
        if ring.enqueue(sum) == nil { _ = ring.dequeue() }
    }
    return sum
}

/// Packets through a ring between workers: noncopyable elements, moved.
@inline(never)
func hotHandOff(_ ring: inout SPSCRing<Packet>, _ burst: inout Burst) -> Int {
    let count = ring.producer.enqueue(burst: burst.count) { burst.popFirst()! }
    return ring.consumer.dequeue(burst: count) { burst.append($0) }
}

// What the law forbids, to show that the check finds it.

/// A packet as a class.
final class CountedPacket {
    var packet: Packet?
    init(_ packet: consuming Packet) { self.packet = consume packet }
}

/// The echo as a language without noncopyable types would have it: an object a packet.
@inline(never)
func coldEchoWithObjects(_ port: inout Port<MemoryDriver>, _ burst: inout Burst) -> Int {
    var packets: [CountedPacket] = []
    while let packet = burst.popFirst() { packets.append(CountedPacket(packet)) }
    for packet in packets {
        if let taken = packet.packet.take() { burst.append(taken) }
    }
    return port.transmit(&burst)
}
