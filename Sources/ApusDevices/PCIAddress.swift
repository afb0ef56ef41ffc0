/// Where a device is on PCI: domain, bus, device and function, as `lspci -D` writes it.
public struct PCIAddress: Hashable, Sendable, LosslessStringConvertible {
    /// The domain, or segment: 0 on most machines; up to 32 bits behind some host bridges.
    public let domain: UInt32
    /// The bus, 0 to 0xff.
    public let bus: UInt8
    /// The device, 0 to 0x1f.
    public let device: UInt8
    /// The function, 0 to 7.
    public let function: UInt8

    /// Reads `0000:03:00.0` or `03:00.0`, hexadecimal digits in either case; nil for all else.
    public init?(_ text: String) {
        let halves = text.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count == 2, halves[1].utf8.count == 1 else { return nil }
        var fields = halves[0].split(separator: ":", omittingEmptySubsequences: false)
        if fields.count == 2 { fields.insert("0000", at: 0) }
        guard fields.count == 3, (4...8).contains(fields[0].utf8.count),
            fields[1...].allSatisfy({ $0.utf8.count == 2 })
        else { return nil }
        self.init(fields + [halves[1]])
    }

    /// What somebody may have meant who did not write it so: `3:0.0`, `0000:03:00:0`.
    static func meant(by text: String) -> PCIAddress? {
        var fields = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "." }
        if fields.count == 3 { fields.insert("0", at: 0) }
        return PCIAddress(fields)
    }

    private init?(_ fields: [Substring]) {
        guard fields.count == 4, fields.allSatisfy({ $0.first?.isHexDigit == true }),
            let domain = UInt32(fields[0], radix: 16), let bus = UInt8(fields[1], radix: 16),
            let device = UInt8(fields[2], radix: 16), device < 32,
            let function = UInt8(fields[3], radix: 16), function < 8
        else { return nil }
        (self.domain, self.bus, self.device, self.function) = (domain, bus, device, function)
    }

    /// `0000:03:00.0`, as the kernel names it in /sys/bus/pci/devices.
    public var description: String {
        "\(digits(domain, 4)):\(digits(bus, 2)):\(digits(device, 2)).\(function)"
    }

    private func digits(_ number: some BinaryInteger, _ count: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
    }
}
