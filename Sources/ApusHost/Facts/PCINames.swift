/// What vendors call themselves and their devices, from the list of pciutils (pci.ids), where a host has it.
struct PCINames {
    struct Key: Hashable {
        var vendor: String
        var device: String
    }

    private(set) var vendors: [String: String] = [:]
    private(set) var devices: [Key: String] = [:]

    /// Looks up those that are wanted; without a list none is found.
    init(of wanted: Set<Key>, root: String) {
        let places = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"]
        guard !wanted.isEmpty, let text = places.lazy.compactMap({ contents(of: root + $0) }).first else {
            return
        }
        let numbers = Set(wanted.map(\.vendor))
        var vendor: String?
        // A line is `8086  Vendor`, tab `10d3  Device`, two tabs for subsystems, or begins with # or C.
        for line in text.split(separator: "\n") {
            if line.first == "\t" {
                guard let vendor, !line.hasPrefix("\t\t") else { continue }
                let key = Key(vendor: vendor, device: String(line.dropFirst().prefix(4)))
                if wanted.contains(key) { devices[key] = Self.name(line.dropFirst(5)) }
            } else {
                let number = String(line.prefix(4))
                // The classes of devices follow the last vendor, and look like one to nobody: `C 02  …`.
                vendor = numbers.contains(number) ? number : nil
                if let vendor { vendors[vendor] = Self.name(line.dropFirst(4)) }
            }
        }
    }

    private static func name(_ text: Substring) -> String { String(text.drop { $0 == " " }) }
}
