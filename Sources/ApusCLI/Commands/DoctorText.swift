import Apus

/// The report as people read it: a mark, a name, what was found, and the command that mends it.
struct DoctorText {
    let width: Int
    let style: Style
    private(set) var lines: [String] = []
    /// The width of the names before what was found.
    private static let column = 22
    private static let margin = String(repeating: " ", count: column + 6)

    init(_ report: DoctorReport, width: Int, style: Style) {
        (self.width, self.style) = (max(60, width), style)
        heading("host: Linux \(report.host.kernel), \(report.host.architecture)")
        add(report.host.findings)
        for interface in report.interfaces { add(interface) }
        lines.append("")
        heading("for DPDK")
        add(report.dpdk.findings)
        for device in report.devices { add(device) }
        add(report.leftovers)
    }

    private mutating func add(_ findings: [Finding]) {
        for finding in findings {
            item(finding.level, finding.subject, finding.text, remedy: finding.remedy)
            for command in finding.alternatives ?? [] { line(ofCommand: command, mark: "or →") }
        }
    }

    private mutating func add(_ device: DeviceDiagnosis) {
        lines.append("")
        let facts = device.facts
        let name = [facts.vendorName, facts.deviceName].compactMap(\.self).joined(separator: " ")
        let numbers = "\(facts.vendor):\(facts.device)"
        let interfaces = facts.interfaces.map(\.printable).joined(separator: ", ")
        let parts = [
            name.isEmpty ? numbers : "\(name.printable) (\(numbers))",
            interfaces.isEmpty ? nil : "interface \(interfaces)",
        ]
        heading("\(facts.address): \(parts.compactMap(\.self).joined(separator: ", "))")
        add(device.findings)
    }

    private mutating func add(_ interface: InterfaceDiagnosis) {
        lines.append("")
        var facts = [interface.driver.map { "driver \($0)" }, interface.state, "MTU \(interface.mtu)"]
        facts += [interface.mac, interface.speed.map { Units.bitRate(Double($0) * 1e6) }]
        let queues = (interface.receiveQueues, interface.transmitQueues)
        facts.append("\(queues.0) receive and \(queues.1) transmit queue\(queues == (1, 1) ? "" : "s")")
        facts.append(interface.node.map { "NUMA node \($0)" })
        heading("\(interface.name.printable): \(facts.compactMap(\.self).joined(separator: ", "))")
        item(nil, "native XDP", "\(interface.nativeXDP.answer.rawValue) (\(interface.nativeXDP.source))")
        item(nil, "AF_XDP zero-copy", "\(interface.zeroCopy.answer.rawValue) (\(interface.zeroCopy.source))")
        for program in interface.programs { item(nil, "XDP program", Self.text(program)) }
        if interface.programs.isEmpty { item(nil, "XDP program", "none") }
        for backend in interface.backends { add(backend) }
    }

    private static func text(_ program: ProgramDiagnosis) -> String {
        let name = program.name.map { "\($0.quoted), " } ?? ""
        let owner: String =
            switch (program.pid, program.isLeftover) {
            case (let pid?, true): ", left by apus pid \(pid)"
            case (let pid?, false): ", of apus pid \(pid)"
            case (nil, true): ", empty"
            case (nil, false): program.name == nil ? "; whose it is needs CAP_SYS_ADMIN to be seen" : ""
            }
        return "\(name)\(program.mode), id \(program.id)\(owner)"
    }

    private mutating func add(_ backend: BackendDiagnosis) {
        let name = backend.backend.replacing("-", with: " ").replacing("zero copy", with: "zero-copy")
        guard let first = backend.reasons.first else { return item(.ok, name, "ok") }
        let verdict =
            switch backend.verdict {
            case .ok: "ok"
            case .unknown: "unknown"
            case .inUse: "in use"
            case .degraded: "degraded"
            case .impossible: "impossible"
            }
        item(backend.verdict, name, "\(verdict): \(first.text)", remedy: first.remedy)
        for reason in backend.reasons.dropFirst() {
            item(nil, "", "and " + reason.text, remedy: reason.remedy)
        }
    }

    private mutating func add(_ leftovers: [LeftoverDiagnosis]) {
        guard !leftovers.isEmpty else { return }
        lines.append("")
        heading("leftovers")
        for leftover in leftovers {
            item(
                leftover.isRemoved ? .ok : .degraded, leftover.interface,
                leftover.text + (leftover.isRemoved ? ": removed" : ""),
                remedy: leftover.isRemoved ? nil : "apus doctor \(shellWord(leftover.interface)) --clean")
        }
    }

    private mutating func heading(_ text: String) {
        lines += wrapped(text, width: width - 4).enumerated().map { index, line in
            index == 0 ? style.bold(line) : "    " + style.bold(line)
        }
    }

    private mutating func item(_ level: DoctorLevel?, _ name: String, _ text: String, remedy: String? = nil) {
        let mark: String =
            switch level {
            case .ok, .inUse: style.green("✓")
            case .unknown: style.yellow("?")
            case .degraded: style.yellow("!")
            case .impossible: style.red("✗")
            case nil: " "
            }
        let texts = wrapped(text.printable, width: width - Self.column - 6)
        lines.append("  \(mark) \(padded(name.printable, to: Self.column))  \(texts[0])")
        lines += texts.dropFirst().map { Self.margin + $0 }
        if let remedy { line(ofCommand: remedy, mark: "→") }
    }

    /// Whole, to be copied.
    private mutating func line(ofCommand command: String, mark: String) {
        lines.append(Self.margin + mark + " " + style.bold(command))
    }
}
