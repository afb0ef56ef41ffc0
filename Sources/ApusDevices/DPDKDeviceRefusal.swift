/// Why a text names no device of DPDK's.
public enum DPDKDeviceRefusal: Error, Hashable, Sendable {
    /// It is neither a PCI address nor a virtual device.
    case neither
    /// Before the first comma it is no PCI address, and this one may be meant.
    case notAddress(String, meant: PCIAddress)
    /// It does not begin as a virtual device does, and this one may be meant.
    case notVirtual(meant: String)
    /// DPDK has no driver of that name for virtual devices; the number behind it, and the nearest that there is.
    case noDriver(String, number: String, nearest: String?)
    /// The name of a virtual device has more than 63 octets.
    case nameTooLong(String)
    /// No interface of the kernel's has a name that long (IFNAMSIZ, less the zero at its end).
    case interfaceTooLong(String)
    /// Nothing stands behind a comma; an example of what may.
    case emptyArgument(example: String, device: String)
    /// The driver can't be told that; the nearest of what it can.
    case unknownArgument(String, VirtualDriver, nearest: String?)
    /// The driver needs to be told something; an example.
    case missingArgument(String, VirtualDriver, device: String)
}
