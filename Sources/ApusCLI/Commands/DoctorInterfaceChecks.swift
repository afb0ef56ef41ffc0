import Apus

/// The facts about one interface that the checks need.
struct DoctorInterfaceFacts {
    var link: Link
    var driver: InterfaceFacts
    /// The XDP programs on it; nil where the kernel does not show them to this process.
    var programs: [XDPAttachment]?

    /// The name as a word of a command.
    var word: String { shellWord(link.name) }
    /// What stands for the driver in sentences.
    var driverName: String { driver.driver.map { "the driver \($0)" } ?? "the driver" }
    var receiveQueues: Int { max(1, driver.channels?.receiveQueues ?? link.receiveQueues) }
    var transmitQueues: Int { max(1, driver.channels?.transmitQueues ?? link.transmitQueues) }
}

extension InterfaceDiagnosis {
    init(_ interface: DoctorInterfaceFacts, on host: DoctorFacts) {
        let (link, facts) = (interface.link, interface.driver)
        name = link.name
        driver = facts.driver ?? link.kind
        state = !link.isUp ? "down" : link.hasCarrier ? "up" : "no carrier"
        mtu = link.mtu
        mac = link.macAddress?.description
        (speed, node) = (facts.speed, facts.node)
        (receiveQueues, transmitQueues) = (interface.receiveQueues, interface.transmitQueues)
        nativeXDP = Support(ofNativeXDP: interface)
        zeroCopy = Support(ofZeroCopy: interface)
        programs = Self.programs(interface)
        backends = [
            Self.xdp("xdp-native-zero-copy", interface, host, native: true, zeroCopy: true),
            Self.xdp("xdp-native", interface, host, native: true, zeroCopy: false),
            Self.xdp("xdp-generic", interface, host, native: false, zeroCopy: false),
            Self.packet(interface, host),
        ]
    }

    private static func programs(_ interface: DoctorInterfaceFacts) -> [ProgramDiagnosis] {
        if let known = interface.programs {
            return known.map {
                ProgramDiagnosis(
                    id: $0.id, name: $0.name, mode: $0.mode.rawValue, pid: $0.pid, isLeftover: $0.isLeftover)
            }
        }
        return interface.link.xdpProgram.map {
            [ProgramDiagnosis(id: $0.id, name: nil, mode: $0.mode.rawValue, pid: nil, isLeftover: false)]
        } ?? []
    }
}

extension Support {
    /// Drivers with native XDP and, among them, with AF_XDP zero-copy, in Linux before 6.3, where the kernel
    /// does not tell (the kernel's own list is in bcc's docs/kernel-versions.md, "XDP").
    private static let nativeDrivers: Set = [
        "bnxt_en", "ena", "enetc", "fsl_dpaa2_eth", "fsl_dpa", "hv_netvsc", "i40e", "ice", "igb", "igc",
        "ixgbe",
        "ixgbevf", "mlx4_en", "mlx5_core", "mvneta", "mvpp2", "nfp", "qede", "sfc", "st_gmac", "stmmac",
        "thunder-nicvf",
        "tun", "veth", "virtio_net",
    ]
    private static let zeroCopyDrivers: Set = [
        "fsl_dpaa2_eth", "i40e", "ice", "igc", "ixgbe", "mlx5_core", "nfp", "st_gmac", "stmmac",
    ]

    init(ofNativeXDP interface: DoctorInterfaceFacts) {
        self.init(interface, .native, Self.nativeDrivers)
    }

    init(ofZeroCopy interface: DoctorInterfaceFacts) {
        self.init(interface, .zeroCopy, Self.zeroCopyDrivers)
    }

    private init(_ interface: DoctorInterfaceFacts, _ feature: XDPFeatures, _ known: Set<String>) {
        if let features = interface.driver.xdp {
            self.init(answer: features.contains(feature) ? .yes : .no, source: "the kernel says so")
        } else if let driver = interface.driver.driver, known.contains(driver) {
            self.init(answer: .yes, source: "by the name of the driver")
        } else {
            self.init(answer: .unknown, source: "the kernel does not say before Linux 6.3")
        }
    }
}

// MARK: - Verdicts

extension InterfaceDiagnosis {
    private static func packet(_ interface: DoctorInterfaceFacts, _ host: DoctorFacts) -> BackendDiagnosis {
        var verdict = BackendDiagnosis("packet")
        let name = interface.word
        if !host.hasPacketSockets {
            verdict.add(.impossible, "the kernel has no AF_PACKET sockets (CONFIG_PACKET)")
        }
        if !host.missing([.netRaw]).isEmpty {
            verdict.add(
                .impossible, "this process has no CAP_NET_RAW", remedy: Capability.grantCommand([.netRaw]))
        }
        addLinkReasons(&verdict, interface)
        if !host.host.kernel.isAtLeast(6, 2) {
            verdict.add(
                .degraded,
                "Linux before 6.2 does not tell which packets are several datagrams, merged by the sender (UDP_SEGMENT over "
                    + "veth) or by receive offload: they come as one",
                remedy: "ethtool -K \(name) rx-udp-gro-forwarding off rx-gro-list off")
        }
        let needed = interface.link.mtu + 18
        if needed > FrameSize.bytes2048.capacity {
            let larger = FrameSize.bytes4096
            verdict.add(
                .degraded,
                "with an MTU of \(interface.link.mtu) packets may be longer than the \(FrameSize.bytes2048.capacity) bytes that "
                    + "a frame holds, and are lost then; frames of \(larger.rawValue) bytes (\"frameSize\") hold "
                    + "\(larger.capacity)")
        }
        if interface.driver.offloads.largeReceive == true {
            verdict.add(
                .degraded, "LRO merges packets, and those longer than a frame are lost",
                remedy: "ethtool -K \(name) lro off")
        }
        return verdict
    }

    private static func xdp(
        _ backend: String, _ interface: DoctorInterfaceFacts, _ host: DoctorFacts, native: Bool,
        zeroCopy: Bool
    ) -> BackendDiagnosis {
        var verdict = BackendDiagnosis(backend)
        let name = interface.word
        if !host.hasXDPSockets {
            verdict.add(.impossible, "the kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)")
        }
        let missing = host.missing(DoctorFacts.xdpCapabilities)
        if !missing.isEmpty {
            verdict.add(
                .impossible, "this process has no \(missing.map(\.name).joined(separator: ", "))",
                remedy: HostDiagnosis.grantCommand)
        }
        let locked = interface.receiveQueues * DoctorFacts.lockedBytesOfQueue
        if !host.mayLock(locked) {
            verdict.add(
                .impossible, "\(Units.bytes(locked)) must be locked, and this process may lock less",
                remedy: "ulimit -l unlimited")
        }
        addLinkReasons(&verdict, interface)
        if native { addNativeReasons(&verdict, interface, host, zeroCopy: zeroCopy) }
        addProgramReasons(&verdict, interface, host, mode: native ? .native : .generic)
        if !native {
            verdict.add(
                .degraded, "generic mode copies each packet after the kernel has made a socket buffer")
            verdict.add(
                .degraded,
                "generic mode is not told which packets are several datagrams, merged by the sender (UDP_SEGMENT over veth) "
                    + "or by receive offload (rx-udp-gro-forwarding, rx-gro-list of ethtool -K): they come as one"
            )
        }
        if let obstacle = host.dispatcherObstacle {
            verdict.add(
                .degraded, "\(obstacle.text), so that no other XDP program can be beside that of Apus",
                remedy: obstacle.remedy)
        }
        if interface.driver.offloads.receiveVLANStripping == true {
            verdict.add(
                .degraded, "VLAN tags are taken off before XDP, which then can't see them",
                remedy: "ethtool -K \(name) rxvlan off")
        }
        return verdict
    }

    private static func addLinkReasons(_ verdict: inout BackendDiagnosis, _ interface: DoctorInterfaceFacts) {
        let link = interface.link
        if !link.isEthernet {
            verdict.add(.impossible, "it carries no Ethernet frames")
        } else if !link.isUp {
            verdict.add(.degraded, "it is down", remedy: "ip link set dev \(interface.word) up")
        } else if !link.hasCarrier {
            verdict.add(.degraded, "it has no carrier: nothing is at the other end, or that is down")
        }
    }

    private static func addNativeReasons(
        _ verdict: inout BackendDiagnosis, _ interface: DoctorInterfaceFacts, _ host: DoctorFacts,
        zeroCopy: Bool
    ) {
        let (link, features) = (interface.link, interface.driver.xdp)
        if Link.isAggregate(kind: link.kind) {
            verdict.add(
                .impossible,
                "native XDP runs on the interfaces beneath the \(link.kind ?? "bond"), whose frames the kernel takes to "
                    + "none of its own sockets")
            return
        }
        switch Support(ofNativeXDP: interface).answer {
        case .yes:
            if let features, !features.contains(.redirect) {
                verdict.add(.impossible, "\(interface.driverName) has no XDP_REDIRECT, which AF_XDP needs")
            }
        case .no where interface.driver.driver == "veth":
            verdict.add(
                .impossible,
                "a veth runs XDP only with as many receive queues as its peer has transmit queues",
                remedy: "ethtool -L PEER tx \(interface.receiveQueues)")
            return
        case .no:
            verdict.add(.impossible, "\(interface.driverName) has no native XDP")
            return
        case .unknown:
            verdict.add(
                .degraded, "whether \(interface.driverName) has native XDP is not known; a start tells")
        }
        if interface.driver.offloads.largeReceive == true {
            verdict.add(
                .degraded, "drivers refuse native XDP while LRO is on",
                remedy: "ethtool -K \(interface.word) lro off")
        }
        // A page less XDP_PACKET_HEADROOM and struct skb_shared_info: what a frame in one buffer can have.
        let longest = 4096 - 256 - 320 - 18
        let takesSegments = features?.contains(.multiBufferReceive) ?? false
        if link.mtu > longest, !(takesSegments && host.host.kernel.isAtLeast(6, 6)) {
            verdict.add(
                .impossible, "an MTU of \(link.mtu) needs multi-buffer XDP, which is not there",
                remedy: "ip link set dev \(interface.word) mtu \(min(longest, 1500))")
        }
        if zeroCopy { addZeroCopyReasons(&verdict, interface) }
    }

    private static func addZeroCopyReasons(
        _ verdict: inout BackendDiagnosis, _ interface: DoctorInterfaceFacts
    ) {
        switch Support(ofZeroCopy: interface).answer {
        case .yes: break
        case .no: verdict.add(.impossible, "\(interface.driverName) has no AF_XDP zero-copy")
        case .unknown:
            verdict.add(
                .degraded, "whether \(interface.driverName) has AF_XDP zero-copy is not known; a start tells")
        }
    }

    private static func addProgramReasons(
        _ verdict: inout BackendDiagnosis, _ interface: DoctorInterfaceFacts, _ host: DoctorFacts,
        mode: XDPMode
    ) {
        let name = interface.word
        guard let programs = interface.programs else {
            if let program = interface.link.xdpProgram {
                verdict.add(
                    .degraded,
                    "an XDP program (\(program.mode.rawValue), id \(program.id)) is on it, and whose it "
                        + "is can only be seen with CAP_SYS_ADMIN")
            }
            return
        }
        for program in programs {
            let unload = "xdp-loader unload \(name) --all"
            if program.isLeftover {
                verdict.add(
                    .degraded,
                    "a leftover of a dead Apus process slows each packet down until the next start",
                    remedy: "apus doctor \(name) --clean")
            } else if let pid = program.pid {
                // No remedy, as nothing is wrong.
                verdict.add(.inUse, "by the Apus process \(pid); another can use it when that has ended")
            } else if program.mode != mode {
                verdict.add(
                    .impossible,
                    "the XDP program \(program.name.quoted) runs in \(program.mode) mode, and both at once can't be",
                    remedy: unload)
            } else if !program.usesDispatcher {
                verdict.add(
                    .impossible,
                    "the XDP program \(program.name.quoted) was attached without libxdp's dispatcher",
                    remedy: "ip link set dev \(name) xdp\(mode == .native ? "drv" : "generic") off")
            } else if host.dispatcherObstacle != nil {
                verdict.add(
                    .impossible,
                    "the XDP program \(program.name.quoted) is in a dispatcher that can't be used here, as "
                        + (host.dispatcherObstacle?.text ?? ""), remedy: host.dispatcherObstacle?.remedy)
            }
        }
    }
}
