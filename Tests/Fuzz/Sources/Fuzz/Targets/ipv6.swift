import ApusWire

/// Header, extension headers and upper layer of an IPv6 packet.
@c(fuzz_ipv6)
public func fuzzIPv6(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    guard let view = try? IPv6View(checking: bytes) else { return 0 }
    precondition(view.payloadLength + 40 <= count)
    use(view.payload)
    var octets = [UInt8](repeating: 0, count: 40)
    let header = IPv6Header(view)
    try! write(&octets) { bytes throws in try header.encode(into: &bytes, payloadLength: view.payloadLength) }
    precondition(equal(octets.raw, bytes.extracting(0..<40)))
    guard let upper = try? view.upperLayer() else { return 0 }
    precondition(upper.offset >= 40 && upper.offset <= view.bytes.byteCount)
    precondition(upper.extensionCount <= IPv6View.maximumExtensionHeaders)
    if let udp = try? UDPView(checking: bytes.extracting(upper.offset..<view.bytes.byteCount)) {
        use(udp.payload)
        use(udp.checksumState(over: view).rawValue)
    }
    return 0
}
