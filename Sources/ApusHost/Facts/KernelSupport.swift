import CLinux
import Glibc

/// A family of sockets that a kernel may have been built without.
public enum SocketFamily: Int32, Sendable, CaseIterable {
    /// AF_PACKET (packet(7)).
    case packet = 17
    /// AF_XDP (Linux 4.18).
    case xdp = 44

    /// Whether this kernel has it: it is asked for a socket, which is closed at once. Needs no privilege.
    public var isSupported: Bool {
        let socket = socket(rawValue, Int32(APUS_SOCK_RAW | APUS_SOCK_CLOEXEC), 0)
        guard socket < 0 else {
            close(socket)
            return true
        }
        // A kernel that has it says that it is not permitted.
        return errno != EAFNOSUPPORT
    }
}

extension HostFacts.KernelVersion {
    /// That of the running kernel.
    public static var running: HostFacts.KernelVersion {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return HostFacts.KernelVersion(release: "") }
        return HostFacts.KernelVersion(
            release: unsafe withUnsafeBytes(of: &names.release) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            })
    }
}

extension HostFacts {
    /// How many bytes this process may lock now: the soft limit, which counts; nil without one. CAP_IPC_LOCK
    /// lifts it.
    public static var currentLockedMemoryLimit: UInt64? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return 0 }
        return limit.rlim_cur == .max ? nil : UInt64(limit.rlim_cur)
    }
}
