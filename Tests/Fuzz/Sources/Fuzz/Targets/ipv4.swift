import ApusWire

/// Header, options and payload of an IPv4 packet; changes in place keep a right checksum right.
@c(fuzz_ipv4)
public func fuzzIPv4(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    guard let view = try? IPv4View(checking: bytes) else { return 0 }
    precondition(
        view.headerByteCount + view.payload.byteCount == view.totalLength && view.totalLength <= count)
    use(view.payload)
    use(view.optionBytes)
    use(view.fragmentOffset)
    var options = view.options
    var seen = 0
    while let option = try? options.next() {
        use(option.body)
        seen += 1
        precondition(seen <= 40)
    }
    _ = try? view.options.check()
    if let udp = try? UDPView(checking: view.payload) {
        use(udp.payload)
        use(udp.checksumState(over: view).rawValue)
    }

    var octets: [UInt8] = []
    for offset in 0..<view.totalLength {
        octets.append(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    let wasValid = view.isHeaderChecksumValid
    try! write(&octets) { bytes throws in
        var packet = try MutableIPv4View(checking: bytes._mutatingExtracting(0..<bytes.byteCount))
        use(packet.decrementTimeToLive())
        packet.setSource(IPv4Address(bits: 0))
        packet.setDestination(IPv4Address(bits: .max))
        packet.setTrafficClass(0xff)
    }
    let changed = try! IPv4View(checking: octets.raw)
    precondition(changed.isHeaderChecksumValid == wasValid)
    precondition(changed.source.bits == 0 && changed.destination.bits == .max)
    return 0
}
