import Glibc

extension DeviceName {
    /// The drivers for virtual network devices of DPDK 22.11 as Debian has it.
    static let virtualDrivers = [
        "net_af_packet", "net_af_xdp", "net_bonding", "net_failsafe", "net_memif", "net_null", "net_pcap",
        "net_ring",
        "net_softnic", "net_tap", "net_tun", "net_vdev_netvsc", "net_vhost", "net_virtio_user",
    ]

    /// Looks at what can be found out about a device without DPDK, which would say less of it.
    func check(_ text: String) throws(DPDKError) {
        switch self {
        case .virtual(let name, _):
            let driver = name.prefix { !($0.isASCII && $0.isNumber) }
            // Names of other prefixes are old ones of the same drivers.
            guard name.hasPrefix("net_"), !Self.virtualDrivers.contains(where: { driver == $0 }) else {
                return
            }
            throw DPDKError(text, .noSuchDriver(String(driver), nearest: Self.nearest(to: String(driver))))
        case .pci(let address):
            let folder = "/sys/bus/pci/devices"
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

    /// The driver's name that is at most three letters away.
    private static func nearest(to name: String) -> String? {
        let near = virtualDrivers.map { ($0, distance(Array(name.utf8), Array($0.utf8))) }.min { $0.1 < $1.1 }
        return near.flatMap { $0.1 <= 3 ? $0.0 : nil }
    }

    /// How many letters have to be put in, taken out or replaced.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (i, letter) in one.enumerated() {
            var (before, next) = (row[0], [i + 1])
            for j in other.indices {
                next.append(min(row[j + 1] + 1, next[j] + 1, before + (other[j] == letter ? 0 : 1)))
                before = row[j + 1]
            }
            row = next
        }
        return row[other.count]
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
