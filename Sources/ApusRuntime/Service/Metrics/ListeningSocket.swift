import ApusHost
import ApusWire
import CLinux
import Glibc

/// A TCP socket that listens, for a server that takes it over.
struct ListeningSocket: ~Copyable {
    /// The descriptor; the socket does not block.
    let descriptor: Int32

    init(_ endpoint: Endpoint) throws(ServiceError) {
        let kind = CInt(APUS_SOCK_STREAM | APUS_SOCK_CLOEXEC | APUS_SOCK_NONBLOCK)
        let family: Int32 =
            switch endpoint.address {
            case .v4: AF_INET
            case .v6: AF_INET6
            }
        descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw .systemCall("socket for the metrics server", errno) }
        // Connections of the process before, which the kernel still remembers, don't keep the port.
        set(SOL_SOCKET, SO_REUSEADDR)
        // `[::]` is IPv6 alone, as it is for streams.
        if family == AF_INET6 { set(APUS_IPPROTO_IPV6, IPV6_V6ONLY) }
        // listen(2) too says EADDRINUSE, when another socket with SO_REUSEADDR was faster.
        guard bindSocket(descriptor, to: endpoint) == 0, listen(descriptor, 16) == 0 else {
            switch errno {
            case EADDRINUSE: throw .addressInUse(endpoint)
            case EADDRNOTAVAIL: throw .addressNotOnHost(endpoint)
            case EACCES:
                throw .notPermitted(
                    "a metrics server on port \(endpoint.port)",
                    needs: "CAP_NET_BIND_SERVICE; run as root or choose a port above 1023")
            default: throw .systemCall("bind the metrics server to \(endpoint)", errno)
            }
        }
    }

    /// Throws ``ServiceError/addressNotOnHost(_:)`` if the kernel would. It is asked with a datagram socket and without
    /// the port, which is so neither taken nor found in use.
    static func check(_ endpoint: Endpoint) throws(ServiceError) {
        let family: Int32 =
            switch endpoint.address {
            case .v4: AF_INET
            case .v6: AF_INET6
            }
        let probe = socket(family, CInt(APUS_SOCK_DGRAM | APUS_SOCK_CLOEXEC), 0)
        guard probe >= 0 else { throw .systemCall("socket for the metrics server", errno) }
        defer { close(probe) }
        guard bindSocket(probe, to: Endpoint(endpoint.address, port: 0)) == 0 || errno != EADDRNOTAVAIL
        else { throw .addressNotOnHost(endpoint) }
    }

    deinit { close(descriptor) }

    /// Gives the descriptor to somebody who closes it.
    consuming func release() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    private func set(_ level: CInt, _ option: CInt) {
        var on: CInt = 1
        // Sound: the value is copied before the call returns.
        _ = unsafe setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
    }
}
