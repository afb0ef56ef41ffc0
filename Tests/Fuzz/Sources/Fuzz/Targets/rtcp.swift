import ApusWire

/// All packets of a compound, each read by the parser of its type.
@c(fuzz_rtcp)
public func fuzzRTCP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    let strict = (try? RTCPCompoundView(checking: bytes)) != nil
    guard var compound = try? RTCPCompoundView(checking: bytes, reducedSize: true) else {
        precondition(!strict)
        return 0
    }
    var total = 0
    while let packet = compound.next() {
        total += packet.bytes.byteCount
        use(packet.body)
        read(packet)
    }
    precondition(total == count)
    return 0
}

private func read(_ packet: RTCPPacketView) {
    if let report = try? RTCPSenderReportView(checking: packet) {
        use(report.ntpTimestamp)
        use(report.profileExtension)
        for index in 0..<report.blockCount { use(report.block(index).hashValue) }
    }
    if let report = try? RTCPReceiverReportView(checking: packet) {
        use(report.ssrc)
        use(report.profileExtension)
        for index in 0..<report.blockCount { use(report.block(index).hashValue) }
    }
    if var description = try? RTCPSourceDescriptionView(checking: packet) {
        while let item = description.next() {
            use(item.ssrc)
            use(item.text)
        }
    }
    if let goodbye = try? RTCPGoodbyeView(checking: packet) {
        for index in 0..<goodbye.sourceCount { use(goodbye.ssrc(index)) }
        use(goodbye.reason)
    }
    if let application = try? RTCPApplicationView(checking: packet) {
        use(application.name)
        use(application.data)
    }
    if let feedback = try? RTCPFeedbackView(checking: packet) {
        use(feedback.mediaSSRC)
        use(feedback.controlInformation)
    }
}
