import ApusEndHost
import ApusRings
import ApusWire

/// An end host that gets one frame after the other. It answers from its own address and to whom it was asked by, keeps its
/// neighbors within their bound, and its figures add up.
///
/// Of each frame there are: an octet whose low bits say that the caller then asks for a neighbor, for an error about the frame,
/// for all that is due, and for what happened, and whose high bits say how many 250 ms passed; two of length; the frame, whose
/// checksum over ICMP is put right if the first bit of the length says so.
@c(fuzz_end_host)
public func fuzzEndHost(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let mac = MACAddress(bits: 0x0200_0000_0002)
    var configuration = EndHostConfiguration(
        mac: mac, addresses: [AddressPrefix("192.0.2.2/24")!, AddressPrefix("2001:db8::2/64")!], seed: 7)
    configuration.neighborLimit = 16
    configuration.gatewayIPv4 = IPv4Address("192.0.2.1")
    guard var host = try? EndHost(configuration, at: 0) else { fatalError("the configuration is refused") }
    let counters = EndHostCounters()
    var time: UInt64 = 0
    var offset = 0
    var buffer = [UInt8](repeating: 0, count: 2048)
    while count - offset >= 3 {
        let control = unsafe start[offset]
        let field = unsafe Int(start[offset + 1]) << 8 | Int(start[offset + 2])
        let length = min(field & 0x7fff, count - offset - 3)
        var octets: [UInt8] = []
        for position in 0..<length { octets.append(unsafe start[offset + 3 + position]) }
        if field & 0x8000 != 0 { octets = withChecksums(octets) }
        offset += 3 + length
        time &+= UInt64(control >> 4) * 250_000_000
        var verdict = EndHostVerdict.notMine
        write(&buffer) { verdict = host.receive(octets.raw, at: time, answer: &$0, counters: counters) }
        if case .answer(let answer) = verdict {
            precondition(answer >= 60 && answer <= max(94, octets.count))
            precondition(Array(buffer[6..<12]) == [2, 0, 0, 0, 0, 2])
            // To who sent it, or said that it asked, or to all.
            precondition(buffer[0] & 1 == 1 || HostMessage(in: octets.raw) != nil)
        }
        if case .path(let report) = verdict { use(report.packet.totalLength) }
        if control & 1 != 0 {
            let address = IPAddress.v4(IPv4Address(bits: 0xc000_0200 | UInt32(control)))
            _ = host.resolve(address, at: time, counters: counters)
        }
        if control & 2 != 0 {
            write(&buffer) { buffer in
                guard
                    let error = host.error(
                        .tooBig(mtu: 1280), about: octets.raw, at: time, answer: &buffer, counters: counters)
                else { return }
                precondition(error >= 60 && error <= 1280 + 22)
            }
        }
        if control & 4 != 0 {
            var frames = 0
            while true {
                var more = false
                write(&buffer) { more = host.advance(to: time, frame: &$0, counters: counters) != nil }
                guard more else { break }
                frames += 1
                precondition(frames <= 64)
            }
        }
        if control & 8 != 0 { while host.nextEvent() != nil {} }
        var neighbors = 0
        host.forEachNeighbor { status in
            neighbors += 1
            precondition(status.mac?.isGroup != true && status.mac != mac)
        }
        precondition(neighbors <= 16)
    }
    var sum = counters.noted.value + counters.reported.value
    for frame in [EndHostFrame.arpReply, .advertisement, .echoReply, .defense] {
        sum += counters.sent[frame.rawValue].value
    }
    for position in counters.parseFailures.indices { sum += counters.parseFailures[position].value }
    for position in counters.drops.indices { sum += counters.drops[position].value }
    precondition(counters.received.value == sum)
    var errors = counters.sent[EndHostFrame.error.rawValue].value
    for position in counters.errorRefusals.indices { errors += counters.errorRefusals[position].value }
    precondition(counters.errorsAsked.value == errors)
    return 0
}

/// A frame with the checksums of an untagged ICMP message and its IPv4 header put right, so that the fuzzer gets past them.
private func withChecksums(_ octets: [UInt8]) -> [UInt8] {
    guard let ethernet = try? EthernetView(checking: octets.raw), ethernet.tags.count == 0 else {
        return octets
    }
    var result = octets
    func put(_ value: UInt16, at offset: Int) {
        (result[offset], result[offset + 1]) = (UInt8(value >> 8), UInt8(value & 0xff))
    }
    switch ethernet.etherType {
    case .ipv4:
        guard let packet = try? IPv4View(checking: ethernet.payload), packet.payload.byteCount >= 8 else {
            return octets
        }
        let (start, end) = (14 + packet.headerByteCount, 14 + packet.totalLength)
        put(0, at: start + 2)
        put(InternetChecksum.of(result.raw.extracting(start..<end)), at: start + 2)
        put(0, at: 24)
        put(InternetChecksum.of(result.raw.extracting(14..<start)), at: 24)
    case .ipv6:
        guard let packet = try? IPv6View(checking: ethernet.payload), let upper = try? packet.upperLayer(),
            packet.bytes.byteCount - upper.offset >= 8
        else { return octets }
        let (start, end) = (14 + upper.offset, 14 + packet.bytes.byteCount)
        var sum = packet.pseudoHeader(.icmpv6, length: end - start)
        put(0, at: start + 2)
        sum.add(result.raw.extracting(start..<end))
        put(sum.value, at: start + 2)
    default: break
    }
    return result
}
