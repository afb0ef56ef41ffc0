import Foundation
import Testing

@testable import ApusCLI
@testable import ApusHost
@testable import ApusXDP

/// The doctor's judgement of hosts and interfaces as they may be elsewhere.
@Suite struct DoctorTests {
    private static let hugepages = "sysctl -w vm.nr_hugepages=520"

    /// A host on which everything is as it should be.
    private var host: DoctorFacts {
        var facts = HostFacts.current()
        facts.kernel = .init(release: "6.12.1-amd64")
        facts.architecture = "x86_64"
        facts.hugepages = [.init(pageSize: 2 << 20, total: 64, free: 60)]
        (facts.bpfFileSystems, facts.hasBPFJIT, facts.hasBTF) = (["/sys/fs/bpf"], true, true)
        (facts.onlineCPUs, facts.allowedCPUs, facts.isolatedCPUs) = ([0, 1, 2, 3], [0, 1, 2, 3], [])
        facts.nodes = [.init(id: 0, cpus: [0, 1, 2, 3])]
        return DoctorFacts(
            host: facts, capabilities: [.netAdmin, .netRaw, .bpf, .perfmon, .ipcLock, .sysAdmin],
            hasXDPSockets: true,
            hasPacketSockets: true, lockedMemory: 8 << 20, hasExtensionPrograms: true)
    }

    /// A card that can do everything.
    private func interface(
        isUp: Bool = true, hasCarrier: Bool = true, isEthernet: Bool = true, mtu: Int = 1500,
        kind: String? = nil, driver name: String = "ice",
        features: ApusHost.XDPFeatures? = .init(rawValue: 0x3f),
        programs: [XDPAttachment]? = [], program: Link.XDPProgram? = nil, _ offloads: String = ""
    ) throws -> DoctorInterfaceFacts {
        let link = Link(
            index: 7, name: "eth7", macAddress: nil, mtu: mtu, isUp: isUp, hasCarrier: hasCarrier,
            isLoopback: false, isPointToPoint: false, hasNoARP: false, isEthernet: isEthernet, kind: kind,
            controller: nil, parent: nil, vlan: nil, receiveQueues: 4, transmitQueues: 4, xdpProgram: program)
        let text = "{\"driver\":\"\(name)\",\"offloads\":{\(offloads)}}"
        var driver = try JSONDecoder().decode(InterfaceFacts.self, from: Data(text.utf8))
        driver.xdp = features
        return DoctorInterfaceFacts(link: link, driver: driver, programs: programs)
    }

    private func diagnosis(
        _ interface: DoctorInterfaceFacts, _ change: (inout DoctorFacts) -> Void = { _ in }
    ) -> InterfaceDiagnosis {
        var host = host
        change(&host)
        return InterfaceDiagnosis(interface, on: host)
    }

    /// The verdicts on zero-copy, native, generic and packet, as letters: ok, in use, degraded, impossible.
    private func verdicts(_ diagnosis: InterfaceDiagnosis) -> String {
        diagnosis.backends.map {
            switch $0.verdict {
            case .ok: "o"
            case .unknown: "?"
            case .inUse: "u"
            case .degraded: "d"
            case .impossible: "i"
            }
        }.joined()
    }

    private func remedies(_ diagnosis: InterfaceDiagnosis, _ backend: String) -> [String] {
        diagnosis.backends.first { $0.backend == backend }?.reasons.compactMap(\.remedy) ?? []
    }

    private func program(
        _ name: String, _ mode: XDPMode = .native, dispatched: Bool = true, pid: Int32? = nil,
        left: Bool = false
    ) -> XDPAttachment {
        XDPAttachment(id: 9, name: name, mode: mode, usesDispatcher: dispatched, pid: pid, isLeftover: left)
    }

    @Test func `a good card on a good host is fine by all ways, but generic is never good`() throws {
        let report = diagnosis(try interface())
        #expect(verdicts(report) == "oodo")
        #expect(report.nativeXDP == Support(answer: .yes, source: "the kernel says so"))
        #expect(
            HostDiagnosis(host, hugepageCommand: Self.hugepages).findings.allSatisfy {
                $0.level == .ok && $0.remedy == nil
            })
    }

    @Test func `what the driver lacks makes that way impossible`() throws {
        #expect(verdicts(diagnosis(try interface(features: []))) == "iido")
        #expect(verdicts(diagnosis(try interface(features: [.native]))) == "iido")
        #expect(verdicts(diagnosis(try interface(features: [.native, .redirect]))) == "iodo")
        let veth = diagnosis(try interface(driver: "veth", features: []))
        #expect(verdicts(veth) == "iido")
        #expect(remedies(veth, "xdp-native") == ["ethtool -L PEER tx 4"])
    }

    @Test func `a bond has no native mode, whatever its driver says`() throws {
        #expect(verdicts(diagnosis(try interface(kind: "bond", driver: "bonding"))) == "iido")
        #expect(verdicts(diagnosis(try interface(kind: "team", driver: "team"))) == "iido")
        #expect(verdicts(diagnosis(try interface(kind: "veth"))) == "oodo")
    }

    @Test func `before Linux 6.3 the driver's name says what the kernel does not`() throws {
        let known = diagnosis(try interface(features: nil))
        #expect(known.nativeXDP == Support(answer: .yes, source: "by the name of the driver"))
        #expect(known.zeroCopy.answer == .yes && verdicts(known) == "oodo")
        let virtual = diagnosis(try interface(driver: "virtio_net", features: nil))
        #expect(virtual.nativeXDP.answer == .yes && virtual.zeroCopy.answer == .unknown)
        let unknown = diagnosis(try interface(driver: "frob", features: nil))
        #expect(unknown.nativeXDP.answer == .unknown && verdicts(unknown) == "dddo")
    }

    @Test func `offloads that hide things are named with the command that turns them off`() throws {
        let report = diagnosis(
            try interface(
                "\"receiveVLANStripping\":true,\"genericReceive\":true,\"largeReceive\":true"))
        #expect(verdicts(report) == "dddd")
        #expect(remedies(report, "packet") == ["ethtool -K eth7 lro off"])
        #expect(remedies(report, "xdp-native") == ["ethtool -K eth7 lro off", "ethtool -K eth7 rxvlan off"])
        #expect(remedies(report, "xdp-generic") == ["ethtool -K eth7 rxvlan off"])
    }

    @Test func `large MTUs need multi-buffer, of driver and kernel`() throws {
        #expect(verdicts(diagnosis(try interface(mtu: 9000))) == "oodd")
        let noDriver = diagnosis(try interface(mtu: 9000, features: [.native, .redirect, .zeroCopy]))
        #expect(verdicts(noDriver) == "iidd")
        #expect(remedies(noDriver, "xdp-native") == ["ip link set dev eth7 mtu 1500"])
        let noKernel = diagnosis(try interface(mtu: 9000)) { $0.host.kernel = .init(release: "6.5.0") }
        #expect(verdicts(noKernel) == "iidd")
        #expect(verdicts(diagnosis(try interface(mtu: 3000, features: [.native, .redirect]))) == "iodd")
    }

    @Test func `packets that AF_PACKET has no room for, and merged ones of old kernels, are said`() throws {
        func reasons(_ diagnosis: InterfaceDiagnosis) -> [String] {
            diagnosis.backends.first { $0.backend == "packet" }?.reasons.map(\.text) ?? []
        }
        #expect(reasons(diagnosis(try interface(mtu: 1710))).isEmpty)
        let jumbo = reasons(diagnosis(try interface(mtu: 1711)))
        #expect(jumbo.count == 1 && jumbo[0].contains("longer than the 1728 bytes that a frame holds"))
        let old = diagnosis(try interface()) { $0.host.kernel = .init(release: "6.1.0-18-amd64") }
        #expect(reasons(old).first?.contains("several datagrams") == true)
        #expect(remedies(old, "packet") == ["ethtool -K eth7 rx-udp-gro-forwarding off rx-gro-list off"])
    }

    @Test func `links that are down or carry no Ethernet are told apart`() throws {
        let down = diagnosis(try interface(isUp: false, hasCarrier: false))
        #expect(down.state == "down" && verdicts(down) == "dddd")
        #expect(remedies(down, "packet") == ["ip link set dev eth7 up"])
        let idle = diagnosis(try interface(hasCarrier: false))
        #expect(idle.state == "no carrier" && verdicts(idle) == "dddd" && remedies(idle, "packet") == [])
        #expect(verdicts(diagnosis(try interface(isEthernet: false))) == "iiii")
    }

    @Test func `a process without privileges gets the command that gives them`() throws {
        let none = diagnosis(try interface()) { $0.capabilities = [] }
        #expect(verdicts(none) == "iiii")
        let command = remedies(none, "xdp-native").first ?? ""
        #expect(command.hasPrefix("setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock+ep /"))
        #expect(remedies(none, "packet").first?.hasPrefix("setcap cap_net_raw+ep /") == true)
        #expect(verdicts(diagnosis(try interface()) { $0.capabilities = [.netRaw] }) == "iiio")
        // Enough to run, but not to see what else is on the interface.
        #expect(
            verdicts(diagnosis(try interface(programs: nil)) { $0.capabilities.remove(.sysAdmin) }) == "dddo")
        #expect(
            verdicts(diagnosis(try interface()) { $0.capabilities.subtract([.sysAdmin, .perfmon]) }) == "iiio"
        )
        // Before Linux 5.8 there is no CAP_BPF.
        #expect(
            verdicts(
                diagnosis(try interface()) { $0.capabilities = [.netRaw, .netAdmin, .sysAdmin, .ipcLock] })
                == "oodo")
        // Four queues of 16 MiB each.
        let tight = diagnosis(try interface()) {
            $0.capabilities.remove(.ipcLock)
            $0.lockedMemory = 63 << 20
        }
        #expect(verdicts(tight) == "iiio" && remedies(tight, "xdp-generic") == ["ulimit -l unlimited"])
        #expect(
            verdicts(
                diagnosis(try interface()) {
                    $0.capabilities.remove(.ipcLock)
                    $0.lockedMemory = 64 << 20
                }) == "oodo")
    }

    @Test func `XDP programs of others are in the way, or not`() throws {
        #expect(verdicts(diagnosis(try interface(programs: [program("filter")]))) == "ooio")
        #expect(verdicts(diagnosis(try interface(programs: [program("filter", .generic)]))) == "iido")
        let alone = diagnosis(try interface(programs: [program("filter", dispatched: false)]))
        #expect(
            verdicts(alone) == "iiio" && remedies(alone, "xdp-native") == ["ip link set dev eth7 xdpdrv off"])
        let left = diagnosis(try interface(programs: [program("apus_steer", pid: 4711, left: true)]))
        #expect(verdicts(left) == "dddo" && remedies(left, "xdp-native") == ["apus doctor eth7 --clean"])
        let unseen = diagnosis(try interface(programs: nil, program: .init(mode: .native, id: 3)))
        #expect(verdicts(unseen) == "dddo")
        #expect(
            unseen.programs
                == [ProgramDiagnosis(id: 3, name: nil, mode: "native", pid: nil, isLeftover: false)])
        let foreign = diagnosis(try interface(programs: [program("filter")])) { $0.host.bpfFileSystems = [] }
        #expect(verdicts(foreign) == "iiio")
        #expect(remedies(foreign, "xdp-native") == ["mount -t bpf -o mode=0700 bpf /sys/fs/bpf"])
    }

    @Test func `an interface that a running process has is in use, which is no fault and hides none`() throws
    {
        let held = [program("apus_steer", pid: 4711)]
        let report = diagnosis(try interface(programs: held))
        #expect(verdicts(report) == "uuuo" && remedies(report, "xdp-native").isEmpty)
        #expect(report.backends[1].reasons.count == 1)
        let text = DoctorText(
            DoctorReport(
                host: HostDiagnosis(host, hugepageCommand: Self.hugepages), interfaces: [report],
                dpdk: DPDKDiagnosis(.none, on: host.host),
                devices: [], leftovers: []), width: 100,
            style: Style(isOn: false)
        ).lines
        #expect(
            text.contains(
                "  ✓ xdp native              in use: by the Apus process 4711; another can use it when that has ended"
            ))
        let json = String(decoding: try JSONEncoder().encode(report.backends[1]), as: UTF8.self)
        #expect(json.contains("\"verdict\":\"in-use\""))
        // What is worse for the one that runs is said beside it, what is impossible is so all the same.
        let worse = diagnosis(
            try interface(features: [.native, .redirect], programs: held, "\"receiveVLANStripping\":true"))
        #expect(verdicts(worse) == "iuuo")
        #expect(worse.backends[1].reasons[0].text.hasPrefix("by the Apus process 4711"))
        #expect(remedies(worse, "xdp-native") == ["ethtool -K eth7 rxvlan off"])
    }

    @Test func `what keeps the dispatcher away is found, with the command that mends it`() throws {
        func remedy(_ change: (inout DoctorFacts) -> Void) throws -> [String?] {
            let report = diagnosis(try interface(), change)
            // An old kernel lacks something for AF_PACKET too.
            #expect(verdicts(report).hasPrefix("ddd"))
            var facts = host
            change(&facts)
            #expect(
                HostDiagnosis(facts, hugepageCommand: Self.hugepages).findings.contains {
                    $0.subject == "XDP dispatcher" && $0.level == .degraded
                })
            return remedies(report, "xdp-native")
        }
        #expect(
            try remedy { $0.host.bpfFileSystems = ["/mnt"] } == ["mount -t bpf -o mode=0700 bpf /sys/fs/bpf"])
        #expect(try remedy { $0.host.hasBPFJIT = false } == ["sysctl -w net.core.bpf_jit_enable=1"])
        #expect(try remedy { $0.host.hasBTF = false } == [])
        #expect(try remedy { $0.hasExtensionPrograms = false } == [])
        #expect(try remedy { $0.host.kernel = .init(release: "5.9.0") } == [])
    }

    @Test func `a kernel's age and what it was built without are told`() throws {
        func finding(_ subject: String, _ change: (inout DoctorFacts) -> Void) -> Finding? {
            var facts = host
            change(&facts)
            return HostDiagnosis(facts, hugepageCommand: Self.hugepages).findings.first {
                $0.subject == subject
            }
        }
        let old = finding("kernel") { $0.host.kernel = .init(release: "5.10.0") }
        #expect(old?.level == .degraded)
        #expect(
            old?.text == "Linux 5.10.0: AF_XDP, need-wakeup; without preferred busy polling (Linux 5.11), "
                + "multi-buffer (Linux 6.6)")
        #expect(finding("kernel") { $0.hasXDPSockets = false }?.level == .degraded)
        #expect(verdicts(diagnosis(try interface()) { $0.hasXDPSockets = false }) == "iiio")
        #expect(verdicts(diagnosis(try interface()) { $0.hasPacketSockets = false }) == "oodi")
        let pages = finding("hugepages") { $0.host.hugepages = [.init(pageSize: 2 << 20, total: 8, free: 0)] }
        #expect(pages?.level == .degraded && pages?.remedy == Self.hugepages)
        let compiler = finding("BPF JIT") { $0.host.hasBPFJIT = nil }
        #expect(compiler?.level.rawValue == "unknown")
        let two = finding("CPUs") {
            $0.host.nodes = [.init(id: 0, cpus: [0, 1]), .init(id: 1, cpus: [2, 3, 8])]
        }
        #expect(two?.text == "4 of 4 usable; 2 NUMA nodes (node 0: 0-1; node 1: 2-3, 8)")
    }

    @Test func `the report is aligned, fits the width but for commands, and has colour when asked`() throws {
        var host = host
        host.host.bpfFileSystems = []
        let report = DoctorReport(
            host: HostDiagnosis(host, hugepageCommand: Self.hugepages),
            interfaces: [InterfaceDiagnosis(try interface(programs: [program("filter")]), on: host)],
            dpdk: DPDKDiagnosis(.none, on: host.host), devices: [],
            leftovers: [
                LeftoverDiagnosis(
                    interface: "eth7", pid: 5, mode: "native", text: "a leftover", isRemoved: false),
                LeftoverDiagnosis(
                    interface: "eth7", pid: 6, mode: "native", text: "a leftover", isRemoved: true),
            ])
        let plain = DoctorText(report, width: 80, style: Style(isOn: false)).lines
        #expect(plain.allSatisfy { $0.contains("→") || $0.count <= 80 })
        #expect(
            plain.contains("  ✓ BTF                     the kernel has its types in /sys/kernel/btf/vmlinux"))
        #expect(plain.contains("                            → mount -t bpf -o mode=0700 bpf /sys/fs/bpf"))
        #expect(
            plain.contains(
                "  ✗ xdp generic             impossible: the XDP program \"filter\" runs in native"))
        #expect(
            plain.suffix(4).joined(separator: "\n") == """
                leftovers
                  ! eth7                    a leftover
                                            → apus doctor eth7 --clean
                  ✓ eth7                    a leftover: removed
                """)
        #expect(!plain.joined().contains("\u{1b}"))
        let coloured = DoctorText(report, width: 80, style: Style(isOn: true)).lines
        #expect(coloured.joined().contains("\u{1b}[31m✗\u{1b}[0m"))
        #expect(coloured.count == plain.count)
    }
}

/// The built program, without a lab: it may only look.
@Suite struct DoctorProgramTests {
    @Test func `the report goes to standard output, and the JSON has the same shape everywhere`() throws {
        let text = try apus("doctor", "lo")
        #expect(text.code == 0 || getuid() != 0 && text.code == 69, "\(text.errors)")
        #expect(text.output.hasPrefix("host: Linux ") && text.output.contains("\nlo: "))
        #expect(!text.output.contains("\u{1b}"))
        let json = try apus("doctor", "lo", "--json")
        #expect(json.code == text.code)
        let report = try #require(
            JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(report.keys.sorted() == ["devices", "dpdk", "host", "interfaces", "leftovers"])
        let interfaces = try #require(report["interfaces"] as? [[String: Any]])
        #expect(interfaces.map { $0["name"] as? String } == ["lo"])
        let backends = try #require(interfaces[0]["backends"] as? [[String: Any]])
        #expect(
            backends.map { $0["backend"] as? String }
                == ["xdp-native-zero-copy", "xdp-native", "xdp-generic", "packet"])
    }

    @Test func `a name in a command is one word for the shell, and drives no terminal`() throws {
        #expect(shellWord("eth0.5@a:b-c_d") == "eth0.5@a:b-c_d")
        #expect(shellWord("$(id>pwned)") == "'$(id>pwned)'")
        #expect(shellWord("a'b;id") == #"'a'\''b;id'"#)
        #expect(shellWord("a\u{1b}[31m'") == #"$'a\x1b\x5b31m\x27'"#)
        for name in ["$(id>pwned)", "a'b;id", "a\u{1b}[31m'", "ü\u{7f}"] {
            #expect(try shell("printf %s \(shellWord(name))").output == name)
        }
        let failure = HostError.noSuchInterface("x", existing: ["\u{1b}[31mred"])
        #expect("\(failure)\nnext".printableLines.hasSuffix("there are:  [31mred\nnext"))
    }

    @Test func `an interface that is not there ends with 66 and names those that are`() throws {
        let run = try apus("doctor", "nosuchif0")
        #expect(run.code == 66 && run.output == "")
        #expect(run.errors.hasPrefix("apus doctor: interface \"nosuchif0\" does not exist; there are: "))
    }
}
