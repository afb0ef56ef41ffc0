import CTraffic
import Foundation

/// A service on UDP that counts what reached it. Nobody reads while a flood comes, so that it takes no time of any core's:
/// the socket has room for all that may come in a trial.
final class DatagramCount {
    private let socket: Int32

    /// One that listens at a port of all addresses of a namespace.
    init(port: UInt16, in space: Space) throws {
        let (socket, code) = try space.enter { () -> (Int32, Int32) in
            let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            // A small packet takes some 5 KiB, the page that it came in and more.
            var room: Int32 = 512 << 20
            unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            // Sound: a sockaddr_in is a sockaddr of the length that is given.
            let bound = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            return (socket, bound == 0 ? 0 : errno)
        }
        self.socket = socket
        guard code == 0 else { throw RelayError.code("the socket of port \(port)", code) }
    }

    deinit { close(socket) }

    /// How many have come since the last time, which are then forgotten.
    func take() -> Int {
        var (count, octet): (Int, UInt8) = (0, 0)
        while unsafe recv(socket, &octet, 1, Int32(MSG_TRUNC)) >= 0 { count += 1 }
        return count
    }
}
