import ApusHost
public import ApusWire
import CXDP
import Glibc
import Synchronization

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
    public let interface: String
    /// The interface's index.
    let index: Int32
    /// How it sits on the interface.
    public let grant: SteeringGrant

    // The pointers are only used under the lock.
    @safe struct Loaded: @unchecked Sendable {
        var object: OpaquePointer?
        var program: OpaquePointer?
        var takesFragments = false
        /// The program itself, and the kernel's number of it. libxdp does not know the number of each without
        /// CAP_SYS_ADMIN.
        var descriptor: Int32 = -1
        var id: UInt32 = 0
        /// The dispatcher that called it when it was attached; 0 when there was none.
        var dispatcher: UInt32 = 0
        /// What libxdp said while it attached the program.
        var log = ""
    }
    let loaded: Mutex<Loaded>
    private let (taken, sockets, counts): (Int32, Int32, Int32)

    /// Loads the program and attaches it. What dead Apus processes left on the interface is removed first.
    ///
    /// - Parameters:
    ///   - interface: its name, in the network namespace of the calling thread.
    ///   - mode: native or generic; there is no fallback from one to the other here.
    public init(attachingTo interface: String, mode: XDPMode) throws(XDPError) {
        self.interface = interface
        index = try interfaceIndex(interface)
        let missing = Capability.missing(of: Capability.toAttach)
        guard missing.isEmpty else {
            throw XDPError(interface, .notPermitted(missing: missing, doing: "attach an XDP program"))
        }
        let hasBPFFileSystem = LibXDP.prepareBPFFileSystem()
        var remarks = try Leftover.removeDead(on: interface, index: index)

        var own = Loaded()
        do {
            own = try Self.attach(interface, index, mode, throughDispatcher: hasBPFFileSystem)
            Self.identify(&own, on: index, mode)
            (taken, sockets, counts) = try (
                Self.map("apus_taken", in: own, interface), Self.map("apus_xsks", in: own, interface),
                Self.map("apus_counters", in: own, interface)
            )
        } catch {
            Self.close(own)
            throw error
        }
        grant = Self.readGrant(own, index, mode, hasBPFFileSystem, &remarks)
        loaded = Mutex(own)
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
        let failure = loaded.withLock { own -> LibXDP.Outcome? in
            guard let program = unsafe own.program else { return nil }
            defer {
                Self.close(own)
                own = Loaded()
            }
            // Without a dispatcher it is one system call; libxdp loses a descriptor over it (1.3.1).
            if own.dispatcher == 0,
                LibXDP.call({ Self.detach(own.descriptor, from: index, grant.mode) }).code == 0
            {
                return nil
            }
            let outcome = LibXDP.call {
                unsafe xdp_program__detach(program, index, grant.mode.libxdp, 0)
            }
            if outcome.code == 0 { return nil }
            if interfaceName(index) == nil {
                Leftover.removePins(of: own.id)
                return nil
            }
            // libxdp opens programs by their numbers, for which the kernel wants CAP_SYS_ADMIN.
            let alone = LibXDP.call { Self.detach(own.descriptor, from: index, grant.mode) }
            return alone.code == 0 || !isAttached(own) ? nil : outcome
        }
        guard let failure else { return }
        throw XDPError(
            interface,
            .failed(
                "the XDP program could not be taken off and costs time on every frame; remove it with "
                    + "`sudo apus doctor \(interface) --clean`", code: failure.code, detail: failure.detail))
    }

    /// Whether the program still sits on the interface: another process may have taken it off.
    public var isAttached: Bool { loaded.withLock { isAttached($0) } }

    private func isAttached(_ own: Loaded) -> Bool {
        guard unsafe own.program != nil else { return false }
        // What is attached to the interface the kernel tells everybody; what is in a dispatcher, not. A dispatcher
        // that a program joins or leaves is replaced.
        return AttachedProgram.attached(to: index).contains { $0.id == own.id || $0.id == own.dispatcher }
            || AttachedProgram.all(on: index).contains { $0.id == own.id }
    }

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
        let isOpen = loaded.withLock { unsafe $0.program != nil }
        guard isOpen else { throw XDPError(interface, .closed) }
        return map
    }
}
