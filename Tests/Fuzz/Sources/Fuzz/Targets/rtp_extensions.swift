import ApusWire

/// The walk over header extension elements; the first two octets of the input are the profile.
@c(fuzz_rtp_extensions)
public func fuzzRTPExtensions(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count >= 2 else { return 0 }
    let bytes = unsafe input(start, count)
    let profile = unsafe UInt16(start[0]) << 8 | UInt16(start[1])
    var elements = RTPExtensionElements(profile: profile, bytes: bytes.extracting(2..<count))
    var total = 0
    while let element = elements.next() {
        precondition(element.identifier != 0)
        total += 1 + element.bytes.byteCount
        use(element.bytes)
    }
    precondition(total <= count - 2)
    return 0
}
