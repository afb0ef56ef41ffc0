import ApusWire

/// Every field of an RTP packet; its parts must fill it, and what is written in place must be read.
@c(fuzz_rtp)
public func fuzzRTP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    use(RTPView.isRTCP(bytes) ? 1 : 0)
    guard let view = try? RTPView(checking: bytes) else { return 0 }
    precondition(view.payloadOffset + view.payloadByteCount + view.paddingByteCount == count)
    precondition(view.payloadByteCount == view.payload.byteCount)
    let extensionLength = view.hasExtension ? 4 + view.extensionBytes.byteCount : 0
    precondition(view.payloadOffset == 12 + 4 * view.csrcCount + extensionLength)
    for index in 0..<view.csrcCount { use(view.csrc(index)) }
    use(view.payload)
    use(view.extensionBytes)
    var elements = view.extensionElements
    while let element = elements.next() { use(element.bytes) }
    if let element = view.extensionElement(3) { use(element) }

    var octets: [UInt8] = []
    for offset in 0..<count { octets.append(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) }
    try! write(&octets) { bytes throws in
        var packet = try MutableRTPView(checking: bytes._mutatingExtracting(0..<bytes.byteCount))
        packet.setSequenceNumber(~view.sequenceNumber)
        packet.setTimestamp(~view.timestamp)
        packet.setSSRC(~view.ssrc)
        packet.setPayloadType(~view.payloadType, marker: !view.marker)
    }
    let changed = try! RTPView(checking: octets.raw)
    precondition(changed.sequenceNumber == ~view.sequenceNumber && changed.ssrc == ~view.ssrc)
    precondition(changed.timestamp == ~view.timestamp && changed.marker == !view.marker)
    precondition(changed.payloadType == ~view.payloadType & 0x7f)
    precondition(changed.payloadOffset == view.payloadOffset)
    return 0
}
