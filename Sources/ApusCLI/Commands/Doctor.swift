import Apus

/// `apus doctor`: what this host can run, and what to do about the rest.
enum Doctor {
    static let command = Command(
        name: "doctor",
        summary: "say what this host can run, and what to do about the rest",
        discussion: [
            "Looks at the kernel, this process's privileges, memory, and each interface's driver, and says of "
                + "each way to move packets whether it works (✓), works with less (!) or is impossible (✗), why, "
                + "and which command mends it. A way of AF_XDP that a running process of Apus has is named \"in use\" (✓); "
                + "AF_PACKET sockets and devices of DPDK's over an interface are not looked for. "
                + "What the kernel does not tell is unknown (?). It only reads: no packet is sent and nothing attached. "
                + "Where each way is impossible, on the interface named or on all, it ends with code "
                + "\(ExitCode.unavailable.rawValue).",
            "What DPDK needs is shown too: each network card on PCI with the driver that has it, its IOMMU group and NUMA "
                + "node, and whether binding it away would cut off the default route or an SSH connection; IOMMU, "
                + "modules, huge pages and isolated cores; and the exact commands, of which none is run. Commands that "
                + "change the kernel's command line are Debian's, and count from the next boot. A card is looked at "
                + "alone by its PCI address; where DPDK can't have it by any command, it ends with code "
                + "\(ExitCode.unavailable.rawValue). A virtual device is made when it is opened, so there is nothing to "
                + "look at before; of one over an interface look at that.",
            "A process of Apus that was killed leaves its XDP program on the interface, where it lets all traffic "
                + "through. These leftovers are listed, and --clean removes them; the next start on the interface "
                + "does so too. To see and remove them takes CAP_SYS_ADMIN and CAP_NET_ADMIN.",
        ],
        usage: ["[INTERFACE | PCI-ADDRESS] [--json] [--clean]"],
        options: [clean, json],
        arguments: [
            Argument(
                name: "INTERFACE",
                help:
                    "The interface, or the network card by its PCI address, to look at; all of them without it.",
                isRequired: false,
                completion: .interface)
        ],
        examples: [
            Example(purpose: "See what eth0 can do", line: "apus doctor eth0"),
            Example(purpose: "See what a card needs for DPDK", line: "apus doctor 0000:03:00.0"),
            Example(purpose: "Remove what killed processes have left", line: "sudo apus doctor --clean"),
        ],
        run: run)

    static let clean = Option(
        long: "clean", help: "Remove the XDP programs that dead Apus processes left; nothing else changes.")
    static let json = Option(long: "json", help: "Write the report as JSON.")

    @Sendable private static func run(_ invocation: Invocation) throws(ExitFailure) {
        let facts = DoctorFacts.current()
        let (links, dpdk) = try subjects(named: invocation.arguments.first)
        if invocation.has(clean) {
            do throws(HostError) {
                try Capabilities.require(cleaning, for: "removing leftovers")
            } catch {
                throw ExitFailure(error)
            }
        }
        let (leftovers, failure) = leftovers(on: links, clean: invocation.has(clean))
        var interfaces: [InterfaceDiagnosis] = []
        for link in links {
            // An interface that goes away meanwhile is left out.
            guard let driver = try? InterfaceFacts(link) else { continue }
            let programs =
                facts.capabilities.contains(.sysAdmin) ? try? XDPAttachment.all(on: link.name) : nil
            interfaces.append(
                InterfaceDiagnosis(
                    DoctorInterfaceFacts(link: link, driver: driver, programs: programs), on: facts))
        }
        let devices = dpdk.devices.map { DeviceDiagnosis($0, dpdk, on: facts.host) }
        let report = DoctorReport(
            host: HostDiagnosis(
                facts, hugepageCommand: DPDKDiagnosis.hugepageCommand(dpdk.dpdk, dpdk.devices)),
            interfaces: interfaces, dpdk: DPDKDiagnosis(dpdk, on: facts.host), devices: devices,
            leftovers: leftovers)
        let output = invocation.output
        if invocation.has(json) {
            output.json(report, spread: output.isTerminal)
        } else {
            let text = DoctorText(report, width: min(output.width, 120), style: output.style)
            output.write(text.lines.joined(separator: "\n") + "\n")
        }
        if let failure { throw failure }
        if let name = invocation.arguments.first, PCIAddress(name) != nil {
            guard devices.allSatisfy({ $0.verdict == .impossible }) else { return }
            throw ExitFailure(
                .unavailable, "DPDK can't have \(name), for the reasons above")
        }
        if !interfaces.isEmpty, interfaces.allSatisfy(\.hasNoWay) {
            let name = invocation.arguments.first.map { "by \($0.printable)" } ?? "on this host"
            throw ExitFailure(
                .unavailable, "no packets can be moved \(name): each way is impossible, for the reasons above"
            )
        }
    }

    private static let cleaning: [Capability] = [.sysAdmin, .netAdmin]

    /// The interfaces to look at and, with the facts for DPDK, the cards: all, or what a name means.
    private static func subjects(named name: String?) throws(ExitFailure) -> ([Link], DoctorDPDKFacts) {
        let host: HostView
        do throws(HostError) { host = try HostView() } catch { throw ExitFailure(error) }
        let all = host.linksByIndex
        var facts = DoctorDPDKFacts.current(all, addresses: host.addresses)
        guard let name else { return (all, facts) }
        guard let address = PCIAddress(name) else {
            if let device = try? VirtualDevice(name) {
                let over = device.interface.flatMap { try? host.link(named: $0) }
                throw ExitFailure(
                    .noInput,
                    "\(name.printable) is a virtual device, which DPDK makes when it is opened: there is nothing to look at before"
                        + (over.map {
                            "; look at the interface it is over: apus doctor \(shellWord($0.name))"
                        } ?? ""))
            }
            do throws(HostError) {
                let link = try host.link(named: name)
                facts.devices.removeAll { !$0.interfaces.contains(link.name) }
                return ([link], facts)
            } catch {
                throw ExitFailure(error)
            }
        }
        guard let device = facts.devices.first(where: { $0.address == address.description }) else {
            let list = facts.devices.map(\.address).joined(separator: ", ")
            throw ExitFailure(
                .noInput,
                "there is no network card at \(address); "
                    + (list.isEmpty ? "there is none on PCI" : "there are: \(list)"))
        }
        facts.devices = [device]
        return (all.filter { device.interfaces.contains($0.name) }, facts)
    }

    /// What is left over, and whether it was removed; and why the first that could not be was not.
    private static func leftovers(on links: [Link], clean: Bool) -> ([LeftoverDiagnosis], ExitFailure?) {
        var failure: ExitFailure?
        var list: [LeftoverDiagnosis] = []
        for link in links {
            for leftover in (try? Leftover.all(on: link.name)) ?? [] {
                var isRemoved = false
                if clean {
                    do throws(XDPError) {
                        try leftover.clean()
                        isRemoved = true
                    } catch {
                        failure = failure ?? ExitFailure(ForwarderError.xdp(error))
                    }
                }
                let who = leftover.pid.map { "the steering program of apus pid \($0), which is gone" }
                list.append(
                    LeftoverDiagnosis(
                        interface: leftover.interface, pid: leftover.pid, mode: leftover.mode.rawValue,
                        text: who ?? "an empty XDP dispatcher", isRemoved: isRemoved))
            }
        }
        return (list, failure)
    }
}
