import ApusWire

/// Every field of the ICMPv6 message of an IPv6 packet, neighbor discovery, and the packet that an error is
/// about.
@c(fuzz_icmpv6)
public func fuzzICMPv6(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    guard let packet = try? IPv6View(checking: bytes), let upper = try? packet.upperLayer() else { return 0 }
    guard upper.protocolNumber == .icmpv6 else { return 0 }
    neighbor(packet, upper.offset)
    // With the checksum put right, so that the fuzzer gets past it.
    guard packet.bytes.byteCount - upper.offset >= 8 else { return 0 }
    var octets: [UInt8] = []
    for offset in 0..<packet.bytes.byteCount {
        octets.append(unsafe packet.bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    (octets[upper.offset + 2], octets[upper.offset + 3]) = (0, 0)
    var sum = packet.pseudoHeader(.icmpv6, length: octets.count - upper.offset)
    sum.add(octets.raw.extracting(upper.offset..<octets.count))
    (octets[upper.offset + 2], octets[upper.offset + 3]) = (UInt8(sum.value >> 8), UInt8(sum.value & 0xff))
    let right = try! IPv6View(checking: octets.raw)
    let message = try! ICMPv6View(checking: octets.raw.extracting(upper.offset..<octets.count))
    precondition(message.isChecksumValid(source: right.source, destination: right.destination))
    use(message.code)
    use(message.identifier)
    use(message.mtu ?? 0)
    if message.isError, let flow = try? FlowHeaders(checkingIP: message.body) { use(flow.sourcePort) }
    neighbor(right, upper.offset)
    return 0
}

private func neighbor(_ packet: IPv6View, _ offset: Int) {
    guard let view = try? NeighborView(checking: packet, at: offset) else { return }
    precondition(packet.hopLimit == 255 && !view.target.isMulticast)
    use(view.bytes)
    use(view.linkLayerAddress?.bits ?? 0)
    use((view.isRouter ? 1 : 0) + (view.isSolicited ? 2 : 0) + (view.isOverride ? 4 : 0))
}
