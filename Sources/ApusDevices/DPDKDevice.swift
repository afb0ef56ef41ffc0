/// A device that DPDK opens: by its place on PCI, or one that a driver makes.
public enum DPDKDevice: Hashable, Sendable {
    /// A card, and what its driver is told (devargs), which is empty as a rule: `0000:03:00.0,key=value`.
    case pci(PCIAddress, arguments: String)
    /// One without hardware.
    case virtual(VirtualDevice)

    /// Reads a PCI address, `0000:03:00.0` or `03:00.0`, or a virtual device, `net_tap0,iface=tap0`.
    ///
    /// Throws what is wrong and what was meant; also for a name that is of another kind, such as that of a kernel
    /// interface.
    public init(_ text: String) throws(DPDKDeviceRefusal) {
        if text.hasPrefix("net_") {
            self = .virtual(try VirtualDevice(text))
            return
        }
        let place = String(text.prefix { $0 != "," })
        if let address = PCIAddress(place) {
            self = .pci(address, arguments: String(text.dropFirst(place.count + 1)))
            return
        }
        if let address = PCIAddress.meant(by: place) { throw .notAddress(place, meant: address) }
        if let near = Self.driver(near: text) { throw .notVirtual(meant: near) }
        throw .neither
    }

    /// Whether a name is one that only DPDK can open, rightly written or not: no interface of the kernel has a colon
    /// or comma in its name. One that begins with `net_` is taken for a virtual device where nothing else is said.
    public static func isMeant(by name: String) -> Bool {
        name.hasPrefix("net_") || name.contains { $0 == ":" || $0 == "," }
    }

    /// The name that an interface has in statistics and for streams: `0000:03:00.0` or `net_tap0`.
    public var name: String {
        switch self {
        case .pci(let address, _): address.description
        case .virtual(let device): device.name
        }
    }

    /// What DPDK's EAL is told: the name, and behind a comma what the driver is.
    public var argument: String {
        switch self {
        case .pci(_, ""): name
        case .pci(_, let arguments): "\(name),\(arguments)"
        case .virtual(let device): device.arguments.isEmpty ? name : "\(name),\(device.arguments)"
        }
    }

    /// The name of the interface that `text` means, whatever it is: a device may be written in several ways.
    package static func interfaceName(of text: String) -> String { (try? DPDKDevice(text))?.name ?? text }

    /// The device that was meant by a name that does not begin as one does: `nettap0`, `tap0,iface=tap0`.
    private static func driver(near text: String) -> String? {
        guard text.contains(",") || text.hasPrefix("net") else { return nil }
        let name = text.prefix { $0 != "," }
        let digits = String(name.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
        let stem = String(name.dropLast(digits.count))
        let drivers = VirtualDriver.all.map(\.name)
        let near = nearestName(to: stem, among: drivers) ?? nearestName(to: "net_" + stem, among: drivers)
        return near.map { $0 + (digits.isEmpty ? "0" : digits) + text[name.endIndex...] }
    }
}
