import ApusWire
@_exported import Octets
import Seeds

/// Octets from hexadecimal digits; blanks and line ends between them are skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
    precondition(digits.count % 2 == 0)
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The 16-bit number in two octets.
func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

/// What a parser says of octets: nil if it took them.
func refusal(_ octets: [UInt8], _ parse: (RawSpan) throws -> Void) -> ParseFailure? {
    do {
        try parse(octets.raw)
        return nil
    } catch {
        return error as? ParseFailure
    }
}

/// The Internet checksum as RFC 1071 section 4.1 writes it down: 16 bits at a time, in host order.
func referenceChecksum(_ octets: [UInt8], onto initial: UInt32 = 0) -> UInt16 {
    var sum = UInt64(initial)
    for index in stride(from: 0, to: octets.count, by: 2) {
        sum += UInt64(octets[index]) << 8
        if index + 1 < octets.count { sum += UInt64(octets[index + 1]) }
    }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}

extension Seeded {
    /// Octets where zeros and ones are far more frequent than chance has them.
    mutating func octets(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in
            switch next() % 8 {
            case 0, 1: 0
            case 2, 3: 0xff
            default: UInt8(truncatingIfNeeded: next())
            }
        }
    }

    /// A number that is often 0 or all ones.
    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type = Number.self) -> Number
    {
        switch next() % 4 {
        case 0: 0
        case 1: Number.max
        default: Number(truncatingIfNeeded: next())
        }
    }
}
