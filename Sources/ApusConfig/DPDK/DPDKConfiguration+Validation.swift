extension DPDKConfiguration {
    /// Checks each setting, and how they go with the interfaces.
    func validate(_ report: ConfigurationReport, interfaces: [InterfaceConfiguration]) {
        report.check(memory, .eal, at: map["memory"])
        report.check(mainCore, .cpu, at: map["mainCore"])
        validateFiles(report)
        let own = interfaces.compactMap(\.port.dpdk)
        validateAllowed(own, report)
        validateBlocked(interfaces, report)
        validateVirtual(own, report)
        for (index, argument) in extra.enumerated() {
            if let refusal = EALOption.refusal(of: argument) {
                report.add(refusal, at: map["extra", index])
            } else if argument.isEmpty || argument.utf8.contains(0) {
                report.add(
                    "expected an argument of DPDK's EAL, found \(argument.quoted)", at: map["extra", index])
            }
        }
    }

    private func validateFiles(_ report: ConfigurationReport) {
        let isFit: (Unicode.Scalar) -> Bool = {
            $0.isASCII
                && ($0.properties.isAlphabetic || (48...57).contains($0.value) || $0 == "-" || $0 == "_")
        }
        if filePrefix.isEmpty || filePrefix.utf8.count > 32 || !filePrefix.unicodeScalars.allSatisfy(isFit) {
            report.add(
                "expected the beginning of a file's name, 1 to 32 letters, digits, \"-\" or \"_\", found "
                    + filePrefix.quoted, at: map["filePrefix"])
        }
        guard let hugepageDirectory else { return }
        if hugepageDirectory.utf8.first != UInt8(ascii: "/") || hugepageDirectory.utf8.contains(0) {
            report.add(
                "expected an absolute path, such as \"/dev/hugepages\", found \(hugepageDirectory.quoted)",
                at: map["hugepageDirectory"])
        }
        if !hugepages {
            report.add(
                "without huge pages there is no folder of them; leave \"hugepageDirectory\" out, or write "
                    + "hugepages: true",
                at: map["hugepageDirectory"], notes: [.init("they are refused here", at: map["hugepages"])])
        }
    }

    private func validateAllowed(_ own: [DPDKPortConfiguration], _ report: ConfigurationReport) {
        for (index, text) in allow.enumerated() {
            do throws(ValueRefusal) {
                let device = try Self.card(text, "allow", "write it in \"vdevs\"")
                if own.contains(where: { $0.device.name == device.name }) {
                    throw ValueRefusal(
                        "\(device.name) is one of the interfaces, which are allowed anyway; leave it out")
                }
            } catch {
                report.add(error.message, at: map["allow", index])
            }
        }
    }

    /// Whom the list is for has to be told before a card is taken from its user.
    private func validateBlocked(_ interfaces: [InterfaceConfiguration], _ report: ConfigurationReport) {
        for (index, text) in block.enumerated() {
            let place = map["block", index]
            do throws(ValueRefusal) {
                let name = try Self.card(text, "block", "leave it out").name
                let note = ConfigurationError.Note("it is blocked here", at: place)
                for interface in interfaces where interface.port.dpdk?.device.name == name {
                    report.add(
                        "\(name) is blocked; take another device", at: interface.map["name"], notes: [note])
                }
                for (index, other) in allow.enumerated() where DPDKDevice.interfaceName(of: other) == name {
                    report.add(
                        "\(name) is allowed, and blocked too; leave one of them out", at: map["allow", index],
                        notes: [note])
                }
            } catch {
                report.add(error.message, at: place)
            }
        }
    }

    /// A device on PCI, which the key is about.
    private static func card(
        _ text: String, _ key: String, _ instead: String
    ) throws(ValueRefusal) -> DPDKDevice {
        let device = try DPDKDevice.read(text)
        guard case .virtual = device else { return device }
        throw ValueRefusal("\(device.name) is no device on PCI, and \"\(key)\" is about those; \(instead)")
    }

    private func validateVirtual(_ own: [DPDKPortConfiguration], _ report: ConfigurationReport) {
        var names = Set(own.map(\.device.name))
        for (index, text) in vdevs.enumerated() {
            // Other kinds than net_ there are too, of which nothing is known here.
            let name = String(text.prefix { $0 != "," })
            if text.hasPrefix("net_") {
                do throws(ValueRefusal) { _ = try DPDKDevice.read(text) } catch {
                    report.add(error.message, at: map["vdevs", index])
                }
            } else if name.isEmpty || PCIAddress(name) != nil {
                report.add(
                    "expected a virtual device, such as \"net_null0\", found \(text.quoted)"
                        + (name.isEmpty ? "" : "; a device on PCI stands in \"allow\""),
                    at: map["vdevs", index])
            }
            if !names.insert(name).inserted {
                report.add("the virtual device \(name.quoted) is there twice", at: map["vdevs", index])
            }
        }
    }
}
