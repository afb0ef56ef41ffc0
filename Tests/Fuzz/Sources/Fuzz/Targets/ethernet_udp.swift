import ApusWire

/// The way of the data path: find the datagram of a frame, verify it, read it as RTP, write it behind other
/// headers. What is found must lie in the frame, and what is written must be found again.
@c(fuzz_ethernet_udp)
public func fuzzEthernetUDP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let frame = unsafe input(start, count)
    guard let flow = try? FlowHeaders(checking: frame) else { return 0 }
    precondition(flow.payloadOffset + flow.payloadLength <= count)
    precondition(flow.networkOffset < flow.transportOffset && flow.payloadLength >= 0)
    precondition(flow.tags.count <= 2)
    let payload = flow.payload(of: frame)
    use(payload)
    use(flow.hash(seed: 7))
    _ = try? flow.checkAddresses()
    let state = flow.udpChecksumState(in: frame)
    if let rtp = try? RTPView(checking: payload) { use(rtp.payload) }

    let headers = UDPEncapsulation(
        nextHop: MACAddress(bits: 2), interface: MACAddress(bits: 4), tags: flow.tags,
        source: flow.destination, destination: flow.source, hopLimit: flow.hopLimit,
        trafficClass: flow.trafficClass)!
    guard payload.byteCount <= headers.maximumPayloadLength else { return 0 }
    let updated = headers.checksum(replacing: flow)
    if state == .valid { precondition(updated == headers.checksum(of: payload)) }
    var octets = [UInt8](repeating: 0, count: headers.byteCount)
    try! write(&octets) { bytes throws in
        try headers.encode(into: &bytes, payloadLength: flow.payloadLength, udpChecksum: updated ?? 0)
    }
    for offset in 0..<payload.byteCount {
        octets.append(unsafe payload.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    let again = try! FlowHeaders(checking: octets.raw)
    precondition(again.source == flow.destination && again.destination == flow.source)
    precondition(again.hopLimit == flow.hopLimit && again.trafficClass == flow.trafficClass)
    precondition(again.tags == flow.tags && again.udpLength == flow.udpLength)
    precondition(equal(again.payload(of: octets.raw), payload))
    if state == .valid || state == .absent { precondition(again.udpChecksumState(in: octets.raw) == state) }
    return 0
}
