import ApusDevices
import Glibc

extension DPDKDevice {
    /// The device of that name. What is wrong with it is told before DPDK, which would say less of it, is asked.
    static func named(_ text: String) throws(DPDKError) -> DPDKDevice {
        do throws(DPDKDeviceRefusal) { return try DPDKDevice(text) } catch {
            throw DPDKError(text, .badName(error))
        }
    }

    /// Looks at what can be found out about a device without DPDK: a card on PCI, or the kernel's interface that a virtual one
    /// is over.
    ///
    /// - Parameters:
    ///   - text: its name, for the error.
    ///   - folder: where the kernel shows the devices on PCI.
    package func check(_ text: String, devices folder: String = "/sys/bus/pci/devices") throws(DPDKError) {
        switch self {
        case .virtual(let device):
            guard device.usesInterface, let name = device.interface, unsafe if_nametoindex(name) == 0 else {
                return
            }
            throw DPDKError(text, .noSuchInterface(name, existing: Self.interfaces))
        case .pci(let address, _):
            guard unsafe access("\(folder)/\(address)", F_OK) == 0 else {
                throw DPDKError(text, .noSuchDevice(existing: Self.networkDevices(in: folder)))
            }
            guard let driver = Self.linkTarget("\(folder)/\(address)/driver") else {
                throw DPDKError(text, .unbound)
            }
            // mlx4 and mlx5 share the device with the kernel's driver.
            let forPrograms = ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core"]
            guard forPrograms.contains(driver) else { throw DPDKError(text, .heldByKernel(driver: driver)) }
        }
    }

    /// The names of the kernel's interfaces.
    private static var interfaces: [String] {
        guard let all = unsafe if_nameindex() else { return [] }
        defer { unsafe if_freenameindex(all) }
        var (names, next): ([String], UnsafeMutablePointer<if_nameindex>) = unsafe ([], all)
        // Sound: the last one has no name.
        while let name = unsafe next.pointee.if_name {
            unsafe names.append(String(cString: name))
            unsafe next += 1
        }
        return names.sorted()
    }

    /// The PCI addresses of devices of class 2: network controllers.
    private static func networkDevices(in folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var found: [String] = []
        while let entry = unsafe readdir(directory) {
            // Sound: readdir(3) ends each name with a zero.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe DPDKInterface.text($0) }
            if PCIAddress(name) != nil, firstLine("\(folder)/\(name)/class").hasPrefix("0x02") {
                found.append(name)
            }
        }
        return found.sorted()
    }

    private static func firstLine(_ path: String) -> String {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            count = unsafe max(0, read(file, buffer.baseAddress, 64))
        }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    private static func linkTarget(_ path: String) -> String? {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            count = unsafe max(0, readlink(path, buffer.baseAddress!, 4096))
        }
        return bytes.isEmpty
            ? nil : String(decoding: bytes, as: UTF8.self).split(separator: "/").last.map(String.init)
    }
}
