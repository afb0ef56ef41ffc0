import Glibc

/// A network card, or a function of one, on PCI (class 02), as /sys/bus/pci/devices shows it. Reading it needs no
/// privilege.
public struct PCINetworkDevice: Sendable, Hashable, Codable {
    /// Where it is: domain, bus, device and function, `0000:03:00.0`.
    public var address: String
    /// The vendor's number in four hexadecimal digits: `8086`.
    public var vendor: String
    /// The device's number among those of the vendor, in four hexadecimal digits: `10d3`.
    public var device: String
    /// The vendor's name; nil where the host has no list of them (pci.ids), or it is not in it.
    public var vendorName: String?
    /// The device's name; nil where the host has no list of them, or it is not in it.
    public var deviceName: String?
    /// The driver that has it: `ixgbe`, `vfio-pci`; nil for none.
    public var driver: String?
    /// The only driver that may take it (`driver_override`); nil for any that knows it.
    public var driverOverride: String?
    /// The kernel's interfaces on it; none while DPDK, a virtual machine or nobody has it.
    public var interfaces: [String]
    /// The NUMA node it is on; nil where the kernel knows none.
    public var node: Int?
    /// The number of its IOMMU group; nil without an IOMMU.
    public var iommuGroup: Int?
    /// The other devices of the group, by their addresses: they can only be had together.
    public var groupMembers: [GroupMember]
    /// Whether this process may open the group's file in /dev/vfio; nil where there is none.
    public var mayOpenGroup: Bool?

    /// Another device of an IOMMU group.
    public struct GroupMember: Sendable, Hashable, Codable {
        /// Where it is on PCI.
        public var address: String
        /// The driver that has it, or nil.
        public var driver: String?
        /// Whether it is a bridge, which needs no other driver.
        public var isBridge: Bool
    }

    /// The drivers by which a program can have a device.
    public static let userSpaceDrivers: Set = ["vfio-pci", "uio_pci_generic", "igb_uio"]
    /// Kernel drivers beside which DPDK has the device: it is not taken from them.
    public static let sharedDrivers: Set = ["mlx4_core", "mlx5_core"]

    /// Whether DPDK can have it as it is bound now.
    public var isReadyForDPDK: Bool {
        driver.map { Self.userSpaceDrivers.contains($0) || Self.sharedDrivers.contains($0) } ?? false
    }
}

extension PCINetworkDevice {
    /// All there are, in the order of their addresses.
    public static func all() -> [PCINetworkDevice] { all(root: "") }

    /// Reads below another root than `/`, so that hosts of other kinds can be tried.
    static func all(root: String) -> [PCINetworkDevice] {
        let folder = "\(root)/sys/bus/pci/devices"
        var devices: [PCINetworkDevice] = []
        for address in names(in: folder).sorted() where isNetwork("\(folder)/\(address)") {
            devices.append(PCINetworkDevice(at: address, root: root))
        }
        let wanted = Set(devices.map { PCINames.Key(vendor: $0.vendor, device: $0.device) })
        let found = PCINames(of: wanted, root: root)
        for index in devices.indices {
            let key = PCINames.Key(vendor: devices[index].vendor, device: devices[index].device)
            (devices[index].vendorName, devices[index].deviceName) = (
                found.vendors[key.vendor], found.devices[key]
            )
        }
        return devices
    }

    private static func isNetwork(_ path: String) -> Bool {
        line(of: "\(path)/class")?.hasPrefix("0x02") ?? false
    }

    private init(at address: String, root: String) {
        let path = "\(root)/sys/bus/pci/devices/\(address)"
        self.address = address
        vendor = Self.digits(line(of: "\(path)/vendor"))
        device = Self.digits(line(of: "\(path)/device"))
        driver = Self.last(linkTarget("\(path)/driver"))
        driverOverride = line(of: "\(path)/driver_override").flatMap { $0 == "(null)" ? nil : $0 }
        // A virtio card has its interface beneath the device of virtio.
        let below = names(in: path).filter { $0.hasPrefix("virtio") }.map { "\(path)/\($0)/net" }
        interfaces = ([path + "/net"] + below).flatMap { names(in: $0) }.sorted()
        node = number(of: "\(path)/numa_node").flatMap { $0 >= 0 ? $0 : nil }
        let group = Self.last(linkTarget("\(path)/iommu_group")).flatMap { Int($0) }
        iommuGroup = group
        groupMembers = []
        guard let group else { return }
        let members = names(in: "\(root)/sys/kernel/iommu_groups/\(group)/devices")
        groupMembers = members.filter { $0 != address }.sorted().map { member in
            let path = "\(root)/sys/bus/pci/devices/\(member)"
            return GroupMember(
                address: member, driver: Self.last(linkTarget("\(path)/driver")),
                isBridge: line(of: "\(path)/class")?.hasPrefix("0x06") ?? false)
        }
        let node = "\(root)/dev/vfio/\(group)"
        if unsafe access(node, F_OK) == 0 { mayOpenGroup = unsafe access(node, R_OK | W_OK) == 0 }
    }

    /// `0x8086` without its beginning.
    private static func digits(_ text: String?) -> String {
        text.map { String($0.hasPrefix("0x") ? $0.dropFirst(2) : $0[...]) } ?? "????"
    }

    private static func last(_ path: String?) -> String? { path?.split(separator: "/").last.map(String.init) }
}
