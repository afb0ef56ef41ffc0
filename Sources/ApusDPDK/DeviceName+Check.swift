import Glibc

extension DeviceName {
    /// Looks at what can be found out about a device without DPDK, which would say less of it.
    ///
    /// - Parameter folder: where the kernel shows the devices on PCI.
    func check(_ text: String, devices folder: String = "/sys/bus/pci/devices") throws(DPDKError) {
        switch self {
        case .virtual(let name, let arguments):
            guard let driver = VirtualDriver.driver(of: name) else {
                // Names of other prefixes are old ones of the same drivers.
                guard name.hasPrefix("net_") else { return }
                let meant = name.prefix { !($0.isASCII && $0.isNumber) }
                throw DPDKError(
                    text,
                    .noSuchDriver(
                        String(meant),
                        nearest: VirtualDriver.nearest(
                            to: String(meant), of: VirtualDriver.arguments.keys)))
            }
            guard let arguments, let known = VirtualDriver.arguments[driver].flatMap({ $0 }) else { return }
            for argument in VirtualDriver.names(in: arguments) where !known.contains(argument) {
                throw DPDKError(
                    text,
                    .noSuchArgument(
                        argument, driver: driver, nearest: VirtualDriver.nearest(to: argument, of: known),
                        known: known))
            }
        case .pci(let address):
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

    /// The PCI addresses of devices of class 2: network controllers.
    private static func networkDevices(in folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var found: [String] = []
        while let entry = unsafe readdir(directory) {
            // Sound: readdir(3) ends each name with a zero.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe DPDKInterface.text($0) }
            if DeviceName(name) != nil, firstLine("\(folder)/\(name)/class").hasPrefix("0x02") {
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
