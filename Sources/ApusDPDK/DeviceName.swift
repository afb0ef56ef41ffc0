import Glibc

/// What a device of DPDK is named by: a PCI address, or a driver for virtual devices with its arguments.
public enum DeviceName: Hashable, Sendable {
    /// `0000:03:00.0`, in full and in lower case.
    case pci(String)
    /// The name, which begins with that of a driver and ends with a number, and the arguments behind the first comma.
    case virtual(name: String, arguments: String?)

    /// `nil` if the text is neither. A PCI address may be without its domain.
    public init?(_ text: String) {
        if let address = Self.pciAddress(text) {
            self = .pci(address)
            return
        }
        let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard name.hasPrefix("net_") || name.hasPrefix("eth_"), name.utf8.count < 64,
            name.utf8.allSatisfy({
                $0 == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || Self.isDigit($0)
            })
        else { return nil }
        self = .virtual(name: name, arguments: parts.count > 1 ? String(parts[1]) : nil)
    }

    /// As DPDK wants it.
    var arguments: String {
        switch self {
        case .pci(let address): address
        case .virtual(let name, nil): name
        case .virtual(let name, let arguments?): "\(name),\(arguments)"
        }
    }

    /// The name of its port.
    var portName: String {
        switch self {
        case .pci(let address): address
        case .virtual(let name, _): name
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    /// `dddd:bb:dd.f` or `bb:dd.f`, in full.
    private static func pciAddress(_ text: String) -> String? {
        let parts = text.lowercased().split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3 else { return nil }
        let last = parts[parts.count - 1].split(separator: ".", omittingEmptySubsequences: false)
        guard last.count == 2, let device = hex(last[0], 2), device < 0x20, let function = hex(last[1], 1),
            function < 8,
            let bus = hex(parts[parts.count - 2], 2), let domain = parts.count == 3 ? hex(parts[0], 4) : 0
        else { return nil }
        return "\(padded(domain, 4)):\(padded(bus, 2)):\(padded(device, 2)).\(function)"
    }

    private static func hex(_ text: Substring, _ digits: Int) -> Int? {
        guard text.utf8.count == digits,
            text.utf8.allSatisfy({ isDigit($0) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 })
        else { return nil }
        return Int(text, radix: 16)
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
