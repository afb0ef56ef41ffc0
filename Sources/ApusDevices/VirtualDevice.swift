/// A device that a driver of DPDK makes without hardware, such as `net_tap0,iface=tap0`.
public struct VirtualDevice: Hashable, Sendable {
    /// What it is called: the driver, and a number that tells it from others of it: `net_tap0`, `net_ring_a1`.
    public let name: String
    /// What its driver is told, as it stands behind the name and a comma; empty for nothing.
    public let arguments: String

    /// Reads `net_DRIVERn` or `net_DRIVERn,key=value,…`. Throws what is wrong, and what was meant.
    public init(_ text: String) throws(DPDKDeviceRefusal) {
        let comma = text.firstIndex(of: ",")
        name = String(text[..<(comma ?? text.endIndex)])
        arguments = comma.map { String(text[text.index(after: $0)...]) } ?? ""
        let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }
        let stem = String(name.dropLast(digits.count))
        // DPDK takes any name that begins with a driver's; what is no typo of it here has a line between.
        let drivers = VirtualDriver.all.filter { stem == $0.name || stem.hasPrefix($0.name + "_") }
        guard let driver = drivers.max(by: { $0.name.utf8.count < $1.name.utf8.count }),
            name.utf8.allSatisfy({ Self.mayName($0) })
        else {
            throw .noDriver(
                stem, number: String(digits.reversed()),
                nearest: nearestName(to: stem, among: VirtualDriver.all.map(\.name)))
        }
        // RTE_DEV_NAME_MAX_LEN, less the zero at its end.
        guard name.utf8.count < 64 else { throw .nameTooLong(name) }
        let keys = try Self.names(in: arguments, comma != nil, of: driver, name)
        if !driver.arguments.isEmpty, let unknown = keys.first(where: { !driver.arguments.contains($0) }) {
            throw .unknownArgument(
                unknown, driver, nearest: nearestName(to: unknown, among: driver.arguments))
        }
        if let needed = driver.needed, !keys.contains(where: { needed.hasPrefix("\($0)=") }) {
            throw .missingArgument(needed, driver, device: name)
        }
        // That of a vhost is a file.
        if !isOf("net_vhost"), let interface, interface.utf8.count > 15 { throw .interfaceTooLong(interface) }
    }

    /// The interface of the kernel's that it is over, or makes: its `iface`.
    public var interface: String? { value(of: "iface") }

    /// What its driver is told by an argument of that name.
    public func value(of argument: String) -> String? {
        let given = arguments.split(separator: ",").first { $0.hasPrefix("\(argument)=") }
        return given.map { String($0.dropFirst(argument.utf8.count + 1)) }
    }

    /// Whether a driver of that name makes it.
    public func isOf(_ driver: String) -> Bool {
        name.hasPrefix(driver)
            && (name.dropFirst(driver.count).first.map { $0.isNumber || $0 == "_" } ?? true)
    }

    /// Whether that has to be there before it.
    public var usesInterface: Bool { isOf("net_af_packet") || isOf("net_af_xdp") }

    private static func mayName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// The names in a list of arguments; what is in brackets is one value.
    private static func names(
        in arguments: String, _ areThere: Bool, of driver: VirtualDriver, _ name: String
    ) throws(DPDKDeviceRefusal) -> [String] {
        guard areThere else { return [] }
        var (words, depth): ([String], Int) = ([""], 0)
        for letter in arguments {
            if letter == "[" || letter == "(" { depth += 1 }
            if letter == "]" || letter == ")" { depth -= 1 }
            if letter == ",", depth == 0 { words.append("") } else { words[words.count - 1].append(letter) }
        }
        let names = words.map { String($0.prefix { $0 != "=" }) }
        guard !names.contains("") else {
            throw .emptyArgument(
                example: driver.arguments.first.map { "\($0)=…" } ?? "key=value", device: name)
        }
        return names
    }
}
