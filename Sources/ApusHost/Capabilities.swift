import CCapNG
import Glibc

/// A privilege of Linux (capabilities(7)) that Apus has a use for.
public enum Capability: String, Hashable, Sendable, CaseIterable {
    /// Packet sockets, AF_XDP sockets, binding a socket to an interface.
    case netRaw = "net_raw"
    /// Attaching XDP programs, changing interfaces and neighbors.
    case netAdmin = "net_admin"
    /// Loading BPF programs (Linux 5.8).
    case bpf
    /// Seeing the XDP programs of others; before Linux 5.8, and as a stand-in, BPF and PERFMON too.
    case sysAdmin = "sys_admin"
    /// BPF programs with access to what tracing may see (Linux 5.8).
    case perfmon
    /// Locking memory beyond the limit, and hugepages.
    case ipcLock = "ipc_lock"
    /// Ports below 1024.
    case netBindService = "net_bind_service"

    /// The name in the manuals: `CAP_NET_RAW`.
    public var name: String { "CAP_" + rawValue.uppercased() }

    /// The command that gives this executable capabilities: `setcap cap_net_raw,cap_net_admin+ep /usr/bin/apus`.
    public static func grantCommand(_ capabilities: [Capability]) -> String {
        let names = capabilities.map { "cap_" + $0.rawValue }.joined(separator: ",")
        return "setcap \(names)+ep \(linkTarget("/proc/self/exe") ?? "PROGRAM")"
    }
}

/// The capabilities that the calling thread can use now.
public struct Capabilities: Hashable, Sendable {
    /// Its effective set, as far as Apus has a use for it.
    public let effective: Set<Capability>

    /// Reads the effective set of the calling thread.
    public static func current() -> Capabilities {
        // libcap-ng keeps its state for each thread.
        capng_clear(CAPNG_SELECT_BOTH)
        guard capng_get_caps_process() == 0 else { return Capabilities(effective: []) }
        return Capabilities(
            effective: Set(
                Capability.allCases.filter { capability in
                    let number = unsafe capng_name_to_capability(capability.rawValue)
                    return number >= 0 && capng_have_capability(CAPNG_EFFECTIVE, UInt32(number)) == 1
                }))
    }

    /// Whether it has a capability.
    public func has(_ capability: Capability) -> Bool { effective.contains(capability) }

    /// Makes sure of capabilities before something is begun that needs them.
    ///
    /// - Parameter purpose: what needs them, as the beginning of a sentence: "opening a packet socket".
    /// - Throws: `HostError.missingCapabilities` with those it lacks.
    public static func require(_ capabilities: [Capability], for purpose: String) throws(HostError) {
        let current = current()
        let missing = capabilities.filter { !current.has($0) }
        guard missing.isEmpty else { throw .missingCapabilities(missing, purpose: purpose) }
    }
}
