import ApusWire

/// Every field of an ICMP message, and the packet that an error is about.
@c(fuzz_icmp)
public func fuzzICMP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    guard let view = try? ICMPv4View(checking: bytes) else { return 0 }
    use(view.type)
    use(view.code)
    use(view.checksum)
    use(view.isChecksumValid ? 1 : 0)
    use(view.identifier)
    use(view.sequenceNumber)
    use(view.nextHopMTU ?? 0)
    use(view.body)
    if view.isError, let flow = try? FlowHeaders(checkingIP: view.body) { use(flow.destinationPort) }
    return 0
}
