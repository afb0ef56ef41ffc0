@_exported public import ApusDevices

extension DPDKDevice {
    /// Reads a device of a configuration; see ``init(_:)``. What is wrong with it is a whole sentence.
    package static func read(_ text: String) throws(ValueRefusal) -> DPDKDevice {
        do throws(DPDKDeviceRefusal) { return try DPDKDevice(text) } catch {
            throw ValueRefusal(error, of: text)
        }
    }
}

extension ValueRefusal {
    /// What is wrong with the name of a device, and what was meant.
    init(_ refusal: DPDKDeviceRefusal, of text: String) {
        switch refusal {
        case .neither:
            self.init(
                "expected a PCI address, such as \"0000:03:00.0\", or a virtual device, such as \"net_tap0,iface=tap0\", "
                    + "found \(text.quoted); `apus doctor` shows the addresses of network cards")
        case .notAddress(let place, let meant):
            self.init("\(place.quoted) is no PCI address as \"0000:03:00.0\" is; did you mean \"\(meant)\"?")
        case .notVirtual(let meant):
            self.init("DPDK makes no virtual device \(text.quoted); did you mean \"\(meant)\"?")
        case .noDriver(let stem, let number, let nearest?):
            self.init(
                "DPDK has no driver for the virtual device \((stem + number).quoted); "
                    + "did you mean \"\(nearest)\(number.isEmpty ? "0" : number)\"?")
        case .noDriver(let stem, let number, nil):
            self.init(
                "DPDK makes no virtual device \((stem + number).quoted); its drivers are "
                    + VirtualDriver.all.map(\.name).joined(separator: ", "))
        case .nameTooLong(let name):
            self.init("a virtual device has a name of at most 63 letters and digits, found \(name.quoted)")
        case .interfaceTooLong(let name):
            self.init("an interface has a name of at most 15 octets, found \(name.quoted)")
        case .emptyArgument(let example, let device):
            self.init(
                "behind a comma the virtual device \(device) is told something, such as \"\(device),\(example)\""
            )
        case .unknownArgument(let argument, let driver, let nearest):
            self.init(
                "\(driver.name) can't be told \(argument.quoted); "
                    + (nearest.map { "did you mean \"\($0)\"?" }
                        ?? "it takes \(driver.arguments.joined(separator: ", "))"))
        case .missingArgument(let example, let driver, let device):
            self.init(
                "\(driver.name) needs to be told \(example.prefix { $0 != "=" }), such as \"\(device),\(example)\""
            )
        }
    }
}
