public import ApusConfig
public import ApusWire
import Glibc

/// Why the control socket, the metrics server or the signals of a service can't be had.
public enum ServiceError: Error, Sendable, Equatable {
    /// The configuration makes no sense on this host, with the place of each error.
    case configuration(ConfigurationErrors)
    /// A running process serves the control socket; its id, if the kernel tells.
    case socketInUse(path: String, process: Int32?)
    /// Something else than a socket is there.
    case notASocket(path: String)
    /// Somebody has put another file in the place of the control socket.
    case socketReplaced(path: String)
    /// The folder of the control socket does not exist, and is not one in /run, which would be made.
    case noFolder(path: String, folder: String)
    /// Anybody may write to the folder of the control socket.
    case openFolder(path: String, folder: String)
    /// Another process has held the lock of the control socket, which is a file beside it.
    case lockHeld(path: String, lock: String)
    /// There is no such group.
    case noSuchGroup(String)
    /// Another socket listens at the address of the metrics server.
    case addressInUse(Endpoint)
    /// The address of the metrics server is on no interface.
    case addressNotOnHost(Endpoint)
    /// The metrics server made room for one that can't be had, and can't have its place back; why.
    case metricsLost(Endpoint, String)
    /// The process may not do this; the capability or permission it lacks.
    case notPermitted(String, needs: String)
    /// A system call failed with this `errno`.
    case systemCall(String, Int32)
}

extension ServiceError: CustomStringConvertible {
    /// The thing, the cause and the way out, in one line.
    public var description: String {
        switch self {
        case .configuration(let errors): return "\(errors)"
        case .socketInUse(let path, let process):
            let user = process.map { "process \($0)" } ?? "another process"
            return
                "the control socket \(path.quoted) is served by \(user); stop that forwarder or name another socket"
        case .notASocket(let path):
            return "\(path.quoted) is there and is no socket; remove it or name another control socket"
        case .socketReplaced(let path):
            return
                "the control socket \(path.quoted) was replaced by another file; "
                + "name one in a folder that only its owner may write to"
        case .noFolder(let path, let folder):
            return
                "no control socket can be made at \(path.quoted): the folder \(folder.quoted) does not exist; "
                + "create it, or set RuntimeDirectory= in the unit"
        case .openFolder(let path, let folder):
            return
                "no control socket is made at \(path.quoted): anybody may write to the folder \(folder.quoted), and so "
                + "could serve a socket of that name; name one in a folder of its own, such as \"/run/apus\""
        case .lockHeld(let path, let lock):
            return
                "no control socket can be made at \(path.quoted): another process keeps \(lock.quoted) locked; "
                + "try again, or name another socket"
        case .noSuchGroup(let name):
            return
                "there is no group \(name.quoted) for the control socket; `getent group` lists those there are"
        case .addressInUse(let endpoint):
            return "the metrics server can't listen on \(endpoint): another socket does; "
                + "`ss -ltnp` names its process; stop it or choose another port"
        case .addressNotOnHost(let endpoint):
            return "the metrics server can't listen on \(endpoint): no interface has the address "
                + "\(endpoint.address); `ip address` lists those there are"
        case .metricsLost(let endpoint, let reason):
            return
                "there is no metrics server any more at \(endpoint), which made room for another: \(reason)"
        case .notPermitted(let action, let needs): return "\(action) needs \(needs)"
        case .systemCall(let call, let code): return "\(call): \(Self.text(of: code))"
        }
    }

    static func text(of code: Int32) -> String {
        // strerror(3) gives a constant or the thread's own text, which is copied at once.
        unsafe String(cString: strerror(code))
    }
}
