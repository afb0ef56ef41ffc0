import ApusHost
import ApusWire
import Glibc
import Synchronization

/// UDP ports that are held in the kernel for as long as this lives: see ``PortGuard``.
///
/// One guard of a port does for the whole process, since several interfaces may be open for it, and a second
/// guard would find the port in use.
final class HeldPorts: Sendable {
    private struct Key: Hashable {
        let port: UInt16
        let namespace: UInt64
    }

    private struct Holding {
        let guards: GuardPair
        var users: Int
    }

    private static let all = Mutex<[Key: Holding]>([:])
    private let keys: Set<Key>

    /// Takes each of the ports at any address, or none when one can't be had.
    init(_ ports: [UInt16]) throws(HostError) {
        let namespace = Self.namespace
        let keys = Set(ports.map { Key(port: $0, namespace: namespace) })
        try Self.all.withLock { all throws(HostError) in
            var next = all
            for key in keys {
                if next[key] == nil { next[key] = Holding(guards: try GuardPair(key.port), users: 0) }
                next[key]?.users += 1
            }
            all = next
        }
        self.keys = keys
    }

    // Under the lock, so that whoever takes the port next finds it free.
    deinit {
        Self.all.withLock { all in
            for key in keys {
                all[key]?.users -= 1
                if all[key]?.users == 0 { all[key] = nil }
            }
        }
    }

    /// The network namespace of the calling thread, which its sockets are in.
    private static var namespace: UInt64 {
        var facts = stat()
        return unsafe stat("/proc/thread-self/ns/net", &facts) == 0 ? UInt64(facts.st_ino) : 0
    }
}

/// A port of both IP versions.
private final class GuardPair: Sendable {
    private let first: PortGuard
    // nil where the kernel has no IPv6.
    private let second: PortGuard?

    init(_ port: UInt16) throws(HostError) {
        first = try PortGuard(Endpoint(.v4(.any), port: port))
        do throws(HostError) {
            second = try PortGuard(Endpoint(.v6(.any), port: port))
        } catch {
            guard case .systemCall(_, EAFNOSUPPORT) = error else { throw error }
            second = nil
        }
    }
}
