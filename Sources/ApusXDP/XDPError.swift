import Glibc

/// Why an interface could not be opened for AF_XDP, or why something on it could not be done: the
/// interface, the cause and the way out.
public struct XDPError: Error, Hashable, Sendable {
    /// What stood in the way.
    public enum Cause: Hashable, Sendable {
        /// No interface of that name in this network namespace; these are there.
        case noSuchInterface(existing: [String])
        /// The process lacks capabilities (capabilities(7)).
        case notPermitted(missing: [String], doing: String)
        /// Another living Apus process holds the interface.
        case held(pid: Int32)
        /// An XDP program that was not loaded through libxdp's dispatcher sits on the interface.
        case occupied(program: String)
        /// The programs of a dispatcher can't be seen, as they are pinned in another BPF file system.
        case foreignDispatcher
        /// An XDP program is attached, and the kernel does not show this process which.
        case hiddenProgram
        /// XDP programs are attached in the other mode, and both at once are impossible.
        case otherModeActive(requested: XDPMode)
        /// The driver can't run XDP programs with an MTU this large.
        case mtuTooLarge(mtu: Int, mode: XDPMode, detail: String)
        /// The driver has no native XDP.
        case modeNotSupported(XDPMode, detail: String)
        /// A bond or team: in native mode the program runs on the interfaces beneath, whose frames the kernel takes
        /// to no socket of the bond.
        case aggregate(kind: String)
        /// A better grant was required than could be had.
        case lesserGrant(required: String, reasons: [String])
        /// No such RX queue.
        case noSuchQueue(Int, queues: Int)
        /// Another socket, of this or another process, is bound to the queue.
        case queueBusy(Int)
        /// A thread has used a port of the queue, and another one closed it before that thread handed it over.
        case poolNotHandedOver(Int)
        /// The kernel has no room for the UMEM within RLIMIT_MEMLOCK.
        case lockedMemory(needed: Int)
        /// More endpoints than the steering program holds.
        case tooManyEndpoints(limit: Int)
        /// A size that the rings or the UMEM can't have.
        case badSize(String)
        /// Already closed.
        case closed
        /// Any other refusal of the kernel or libxdp.
        case failed(String, code: Int32, detail: String)
    }

    /// The interface's name.
    public let interface: String
    /// What stood in the way.
    public let cause: Cause

    /// An error of an interface.
    package init(_ interface: String, _ cause: Cause) { (self.interface, self.cause) = (interface, cause) }
}

extension XDPError: CustomStringConvertible {
    /// The interface, the cause and the way out, in one or two sentences.
    public var description: String { "\(interface): \(explanation)" }

    /// The cause and the way out, without the interface's name.
    public var explanation: String {
        switch cause {
        case .noSuchInterface(let existing):
            "no such interface in this network namespace; there are: "
                + "\(existing.isEmpty ? "none" : existing.joined(separator: ", "))"
        case .notPermitted(let missing, let doing):
            "not permitted to \(doing): missing \(missing.joined(separator: ", ")); "
                + "run as root or grant them (AmbientCapabilities= in a systemd unit, setcap(8) on the program)"
        case .held(let pid):
            pid == getpid()
                ? "is held by this process already; open it once and share it"
                : "is held by apus pid \(pid); stop that process, or give each its own interface"
        case .occupied(let program):
            "the XDP program \"\(program)\" is attached without libxdp's dispatcher, and a second can't join "
                + "it; unload it (`xdp-loader unload -a \(interface)`, or "
                + "`ip link set dev \(interface) xdp off`), or load it with xdp-loader"
        case .foreignDispatcher:
            "a libxdp dispatcher with living programs is attached, but they are pinned in a BPF file system "
                + "that is not mounted here; run in the mount namespace of whoever loaded them"
        case .hiddenProgram:
            "an XDP program is attached, and without CAP_SYS_ADMIN the kernel does not show whose it is; if a "
                + "killed Apus process left it, remove it with `sudo apus doctor \(interface) --clean`"
        case .otherModeActive(let requested):
            "XDP programs are attached in \(requested == .native ? "generic" : "native") mode already, and "
                + "\(requested) can't be active beside it; ask for that mode or unload them"
        case .mtuTooLarge(let mtu, let mode, let detail):
            "an MTU of \(mtu) is too large for \(mode) XDP here\(detail.isEmpty ? "" : " (\(detail))"); "
                + "lower it (`ip link set dev \(interface) mtu 1500`) or use generic mode"
        case .modeNotSupported(let mode, let detail):
            "the driver does not support \(mode) XDP\(detail.isEmpty ? "" : " (\(detail))")"
        case .aggregate(let kind):
            "native XDP runs on the frames as they come in by the interfaces beneath the \(kind), which the kernel "
                + "takes to no AF_XDP socket of the \(kind) itself; use generic mode or AF_PACKET on it"
        case .lesserGrant(let required, let reasons):
            "required \(required), which can't be had: \(reasons.joined(separator: "; "))"
        case .noSuchQueue(let queue, let queues):
            "there is no RX queue \(queue); it has \(queues), counted from 0"
        case .queueBusy(let queue):
            "another AF_XDP socket is bound to queue \(queue); close it, or use another queue"
        case .poolNotHandedOver(let queue):
            "a thread has used the port of queue \(queue), and another one closed it, so its frames are still the "
                + "first one's; call handOver() on a port on the thread that used it before another one closes it"
        case .lockedMemory(let needed):
            "the kernel may not lock \(needed >> 20) MiB for the UMEM: raise `ulimit -l` "
                + "(LimitMEMLOCK= in a systemd unit) or grant CAP_IPC_LOCK"
        case .tooManyEndpoints(let limit):
            "more than \(limit) endpoints; take a port at any address instead of single addresses"
        case .badSize(let what): what
        case .closed: "is closed"
        case .failed(let call, let code, let detail):
            "\(call): \(message(code))\(detail.isEmpty ? "" : ": \(detail)")"
        }
    }
}

/// The C library's words for an errno.
func message(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
