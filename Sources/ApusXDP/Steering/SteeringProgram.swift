internal import ApusHost
public import ApusWire
import CXDP
import Glibc

/// The XDP program that takes the UDP datagrams an application asked for to its AF_XDP sockets and leaves
/// everything else to the kernel: ARP, neighbour discovery, ICMP, SSH, and fragments.
///
/// It is attached through libxdp's dispatcher, beside other XDP programs. When its process is killed, the
/// sockets leave the program's map with it and all traffic goes to the kernel again; the next start, or
/// `Leftover.clean()`, removes the program. Attach and detach in the same network namespace.
///
/// Control plane: all members may be called from any thread, and cost system calls.
public final class SteeringProgram: Sendable {
    static let name = "apus_steer"
    /// How many endpoints it can take at a time.
    public static let mostEndpoints = Int(APUS_STEER_ENDPOINTS)

    /// The interface's name.
    public var interface: String { program.interface }
    /// The interface's index.
    var index: Int32 { program.index }
    /// How it sits on the interface.
    public var grant: XDPProgramGrant { program.grant }

    private let program: InterfaceProgram
    private let (taken, sockets, counts): (Int32, Int32, Int32)

    /// Loads the program and attaches it. What dead Apus processes left on the interface is removed first.
    ///
    /// - Parameters:
    ///   - interface: its name, in the network namespace of the calling thread.
    ///   - mode: native or generic; there is no fallback from one to the other here.
    public init(attachingTo interface: String, mode: XDPMode) throws(XDPError) {
        try Leftover.refuseLiving(on: interface, index: try interfaceIndex(interface))
        program = try InterfaceProgram(
            attaching: SteerProgram.object, program: Self.name, to: interface, mode: mode
        ) { object throws(BPFError) in
            var owner = SteeringOwner.current()
            if mode == .generic, HostFacts.KernelVersion.running.isAtLeast(5, 12) {
                owner.flags |= UInt32(APUS_STEER_FLAG_MTU)
            }
            try object.set(".rodata", to: owner)
        }
        do throws(XDPError) {
            (taken, sockets, counts) = try (
                program.descriptor(ofMap: "apus_taken"), program.descriptor(ofMap: "apus_xsks"),
                program.descriptor(ofMap: "apus_counters")
            )
        } catch {
            try? program.detach()
            throw error
        }
        try yieldToOlder()
    }

    // Nobody is there to be told. Who wants to know calls `detach()` before.
    deinit { try? detach() }

    /// Takes the program off the interface; all frames go to the kernel then. Other programs stay. Nothing
    /// happens if it is off already, or if the interface is gone.
    ///
    /// Throws when the program stays attached, which costs time on every frame until it is removed: it takes
    /// CAP_NET_ADMIN, and in a dispatcher CAP_SYS_ADMIN too.
    public func detach() throws(XDPError) {
        guard let failure = program.takeOff() else { return }
        throw XDPError(
            interface,
            .failed(
                "the XDP program could not be taken off and costs time on every frame; remove it with "
                    + "`sudo apus doctor \(interface) --clean`", code: failure.code, detail: failure.detail))
    }

    /// Whether the program still sits on the interface: another process may have taken it off.
    public var isAttached: Bool { program.isAttached }

    /// Takes datagrams to this endpoint from now on; an address of zeros takes the port at any address of
    /// that family.
    public func add(_ endpoint: Endpoint) throws(XDPError) {
        var (key, value) = (apus_steer_key(endpoint), UInt32(1))
        let map = try open(taken)
        guard unsafe bpf_map_update_elem(map, &key, &value, UInt64(BPF_ANY)) == 0 else {
            let code = errno
            throw XDPError(
                interface,
                code == E2BIG
                    ? .tooManyEndpoints(limit: Self.mostEndpoints)
                    : .failed("taking \(endpoint)", code: code, detail: ""))
        }
    }

    /// Leaves datagrams to this endpoint to the kernel again. Nothing happens if they were not taken.
    public func remove(_ endpoint: Endpoint) throws(XDPError) {
        var key = apus_steer_key(endpoint)
        let map = try open(taken)
        guard unsafe bpf_map_delete_elem(map, &key) == 0 || errno == ENOENT else {
            throw XDPError(interface, .failed("leaving \(endpoint)", code: errno, detail: ""))
        }
    }

    /// Sends what comes in by a queue to the AF_XDP socket bound to it.
    func register(socket: Int32, queue: Int) throws(XDPError) {
        var (key, value) = (UInt32(queue), socket)
        let map = try open(sockets)
        guard unsafe bpf_map_update_elem(map, &key, &value, UInt64(BPF_ANY)) == 0 else {
            throw XDPError(interface, .failed("registering queue \(queue)", code: errno, detail: ""))
        }
    }

    /// Leaves what comes in by a queue to the kernel again.
    func unregister(queue: Int) {
        var key = UInt32(queue)
        guard let map = try? open(sockets) else { return }
        _ = unsafe bpf_map_delete_elem(map, &key)
    }

    /// What it did with the frames it saw so far; all 0 where /sys does not show how many CPUs there are.
    public var counters: SteeringCounters {
        var result = SteeringCounters()
        guard let map = try? open(counts) else { return result }
        // Negative where /sys does not tell.
        var processors: Int32 = 0
        _ = LibXDP.call {
            processors = libbpf_num_possible_cpus()
            return 0
        }
        guard processors > 0 else { return result }
        var perCPU = [UInt64](repeating: 0, count: Int(processors))
        for (index, field) in SteeringCounters.fields.enumerated() {
            var key = UInt32(index)
            // Sound: the kernel writes eight bytes for each possible CPU, and as many there are.
            let read = unsafe perCPU.withUnsafeMutableBytes {
                unsafe bpf_map_lookup_elem(map, &key, $0.baseAddress)
            }
            if read == 0 { result[keyPath: field] = perCPU.reduce(0, &+) }
        }
        return result
    }

    private func open(_ map: Int32) throws(XDPError) -> Int32 {
        guard program.isOpen else { throw XDPError(interface, .closed) }
        return map
    }

    /// Of two processes that attached at the same moment, the older one stays.
    func yieldToOlder() throws(XDPError) {
        let id = program.id
        let all = try about(interface) { () throws(BPFError) in try AttachedProgram.all(on: index) }
        guard let mine = all.first(where: { $0.id == id })?.owner else { return }
        for other in all where other.id != id {
            guard let owner = other.owner, owner.isAlive,
                (owner.owner.attached_at, other.id) < (mine.owner.attached_at, id)
            else { continue }
            try detach()
            throw XDPError(interface, .held(pid: owner.pid))
        }
    }
}
