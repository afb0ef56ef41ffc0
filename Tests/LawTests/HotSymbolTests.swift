import Testing

/// Law: the data path costs what C costs. Between receive and transmit there is no retain or release, no
/// heap, no lock, no existential, no closure context, and no system call but a needed wake-up.
@Suite("Hot symbols of the release binary")
struct HotSymbolTests {
    /// All that the data path may call outside the program.
    static let allowed: Set<String> = [
        // Copies of metadata and packets.
        "memcpy", "memmove", "memset",
        // What the compiler calls when it finds an array on the stack overrun.
        "__stack_chk_fail",
        // A thread of an MPMC ring that waits for a preempted one.
        "sched_yield",
        // For a packet with an error in its headers: the debugger's hook at a throw, which does nothing
        // without a debugger and allocates nothing.
        "swift_willThrowTypedImpl",
        // What says why a program that misuses a port is stopped.
        "Swift._assertionFailure(_: Swift.StaticString, _: Swift.String, file: Swift.StaticString, line: Swift.UInt, "
            + "flags: Swift.UInt32) -> Swift.Never",
        // Lookups of types, each made once and kept.
        "swift_getWitnessTable", "swift_getTypeByMangledNameInContext2",
    ]

    /// System calls that wake the kernel, and how they say that it did; reading the clock is none.
    static let wakeUps: Set<String> = [
        "sendmmsg", "sendto", "recvfrom", "clock_gettime", "Glibc.errno.getter : Swift.Int32",
    ]

    /// What is not the data path, though called from its functions.
    static let exceptions = [
        // The pool was dropped before, and its last frame has come home.
        "FramePoolCore.destroy(",
        // The kernel has reported an error of the socket, such as that the interface went away.
        "PacketSocketDriver.(takeSocketError in ",
        // A packet could not be copied: whether that is for want of a free frame, once a burst.
        "ApusPorts.Port< where A: ~Swift.Copyable>.canEverCopy(",
        // The kernel has refused a packet: whether the interface's MTU has become smaller.
        "PacketSocketQueue.currentMTU()",
    ]

    static let code = Result { try MachineCode(ofProgram: Examples.program("HotPath")) }

    @Test(
        arguments: [
            "hotEchoOverMemory", "hotGenerate", "hotDrain", "hotSPSC", "hotMPMC", "hotHandOff",
        ])
    func `Packets and rings in memory call nothing but copies`(_ name: String) throws {
        let code = try Self.code.get()
        let functions = code.functions(named: "HotPath.\(name)(")
        try #require(functions.count == 1, "\(functions)")
        for (callee, way) in code.reached(from: functions[0], leavingOut: Self.exceptions) {
            #expect(Self.allowed.contains(callee), "\(callee) is called by\n\(way)")
        }
    }

    @Test(arguments: ["hotEchoOverPacketSocket", "hotEchoOverXDP", "hotEchoOverEither"])
    func `Ports of the kernel's sockets call nothing more than what wakes it`(_ name: String) throws {
        let code = try Self.code.get()
        let functions = code.functions(named: "HotPath.\(name)(")
        try #require(functions.count == 1, "\(functions)")
        for (callee, way) in code.reached(from: functions[0], leavingOut: Self.exceptions) {
            #expect(
                Self.allowed.contains(callee) || Self.wakeUps.contains(callee),
                "\(callee) is called by\n\(way)")
        }
    }

    /// DPDK's own work on a burst, which is its driver's, and that on a pool that has run dry; what a thread's first call does; and
    /// what ends the interrupts when packets came after a sleep, for which alone they are asked for. The clocks of host and device,
    /// where times are wanted.
    static let callsOfDPDK: Set<String> = [
        "clock_gettime", "rte_eth_read_clock",
        "read", "poll", "rte_eth_dev_rx_intr_disable", "rte_eth_dev_rx_intr_ctl_q_get_fd",
        "rte_eth_tx_done_cleanup", "__errno_location",
    ]

    /// The shims, over functions that are called through the device's table.
    static let shims = [
        "apus_port_receive", "apus_port_prepare", "apus_port_transmit", "apus_pool_take", "apus_pool_give",
        "apus_mbuf_own",
        "apus_eal_join",
    ]

    /// Of a worker with devices that the kernel does not have, for messages to the host, and of workers that share queues:
    /// one rings for another thread that may sleep, and is rung for.
    static let bells: Set<String> = ["eventfd_write", "eventfd_read"]

    @Test(.enabled(if: Examples.hasDPDK), arguments: ["hotEchoOverDPDK", "hotCopyOverDPDK"])
    func `Ports of DPDK call nothing more than DPDK`(_ name: String) throws {
        let code = try Self.code.get()
        let functions = code.functions(named: "HotPath.\(name)(")
        try #require(functions.count == 1, "\(functions)")
        for (callee, way) in code.reached(from: functions[0], leavingOut: Self.exceptions + Self.shims) {
            #expect(
                Self.allowed.contains(callee) || Self.callsOfDPDK.contains(callee),
                "\(callee) is called by\n\(way)")
        }
    }

    @Test func `A round of the forwarder, on each backend, calls nothing more either`() throws {
        let code = try Self.code.get()
        let round = ["ApusRuntime.ForwardWorker<", ".round(", "generic specialization"]
        let rounds = code.functions(named: round)
        let withDPDK = Set(code.functions(named: round + ["DPDKDriver"]))
        let sharing = Set(code.functions(named: round + ["SharedDriver"]))
        let kinds =
            "memory, XDP, packet sockets, the last two, and sharing; DPDK, that with those, and sharing"
        #expect(rounds.count == (Examples.hasDPDK ? 8 : 5), "\(kinds): \(rounds)")
        for round in rounds {
            let ofDPDK = withDPDK.contains(round) ? Self.callsOfDPDK.union(Self.bells) : []
            let ofSharing = sharing.contains(round) ? Self.bells : []
            for (callee, way) in code.reached(from: round, leavingOut: Self.exceptions + Self.shims) {
                #expect(
                    Self.allowed.contains(callee) || Self.wakeUps.contains(callee) || ofDPDK.contains(callee)
                        || ofSharing.contains(callee),
                    "\(callee) is called by\n\(way)")
            }
        }
    }

    /// Not the worker's path, but a flood of ARP or pings is looked at there, frame for frame.
    @Test(.enabled(if: Examples.hasDPDK), arguments: ["receive(", "nextEvent("])
    func `What comes for a host over DPDK is answered without the heap`(_ name: String) throws {
        let code = try Self.code.get()
        let functions = code.functions(named: "ApusEndHost.EndHost.\(name)")
        try #require(functions.count == 1, "\(functions)")
        for (callee, way) in code.reached(from: functions[0], leavingOut: Self.exceptions) {
            #expect(Self.allowed.contains(callee), "\(callee) is called by\n\(way)")
        }
    }

    @Test func `The check finds objects where there are some`() throws {
        let code = try Self.code.get()
        let functions = code.functions(named: "HotPath.coldEchoWithObjects(")
        try #require(functions.count == 1)
        let reached = Set(code.reached(from: functions[0]).keys)
        #expect(reached.isSuperset(of: ["swift_allocObject", "swift_release"]))
    }
}
