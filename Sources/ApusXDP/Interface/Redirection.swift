import CXDP
import Glibc

/// What brings packets to our sockets.
enum Redirection: Sendable {
    /// Our own program.
    case steering(SteeringProgram)
    /// A program of the application's, through this XSKMAP.
    case map(Int32)
    /// Nothing: the sockets only send.
    case none

    func register(socket: Int32, queue: Int, interface: String) throws(XDPError) {
        switch self {
        case .steering(let program): try program.register(socket: socket, queue: queue)
        case .none: break
        case .map(let map):
            var (key, value) = (UInt32(queue), socket)
            guard unsafe bpf_map_update_elem(map, &key, &value, UInt64(BPF_ANY)) == 0 else {
                throw XDPError(interface, .failed("registering queue \(queue)", code: errno, detail: ""))
            }
        }
    }

    func unregister(queue: Int) {
        switch self {
        case .steering(let program): program.unregister(queue: queue)
        case .none: break
        case .map(let map):
            var key = UInt32(queue)
            _ = unsafe bpf_map_delete_elem(map, &key)
        }
    }
}
