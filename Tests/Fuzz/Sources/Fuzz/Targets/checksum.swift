import ApusWire

/// The fast sum against the loop of RFC 1071 section 4.1, and an update against a full computation. The
/// first octet chooses where the update is and how the octets are aligned.
@c(fuzz_checksum)
public func fuzzChecksum(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count >= 20 else { return 0 }
    let bytes = unsafe input(start, count)
    let choice = unsafe Int(start[0])
    let message = bytes.extracting(1 + choice % 8..<count)
    var octets: [UInt8] = []
    for offset in 0..<message.byteCount {
        octets.append(unsafe message.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
    let before = InternetChecksum.of(message)
    precondition(before == reference(octets))

    // A message that is all zero has two right checksums (RFC 1624 section 2); this one never is.
    octets[0] |= 1
    let full = reference(octets)
    let place = 2 + choice / 8 % 4 * 2
    let old = UInt32(octets[place]) << 8 | UInt32(octets[place + 1])
    let new = ~old & 0xffff
    (octets[place], octets[place + 1]) = (UInt8(new >> 8), UInt8(new & 0xff))
    let updated = InternetChecksum.update(full, replacing: UInt16(old), with: UInt16(new))
    precondition(updated == reference(octets))
    return 0
}

private func reference(_ octets: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for (offset, octet) in octets.enumerated() { sum += UInt64(octet) << (offset % 2 == 0 ? 8 : 0) }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}
