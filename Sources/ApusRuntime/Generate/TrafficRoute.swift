public import ApusHost
public import ApusWire
import Glibc

/// Why traffic can't be sent to where it was to go.
public enum TrafficRouteError: Error, CustomStringConvertible {
    /// The kernel can't be asked.
    case host(HostError)
    /// There is no way to the destination.
    case unreachable(UnreachableReason)
    /// The next hop did not answer in so many milliseconds.
    case unresolved(neighbor: IPAddress, interface: String, milliseconds: Int)

    /// The thing, the cause and the way out.
    public var description: String {
        switch self {
        case .host(let error): error.description
        case .unreachable(let reason): reason.description
        case .unresolved(let neighbor, let interface, let milliseconds):
            "\(neighbor) has not told its Ethernet address on \(interface) in \(milliseconds / 1000) s; "
                + "see that it is up and on that link (`ip neigh show dev \(interface)`), "
                + "or add a route by a gateway that is"
        }
    }
}

extension HostView {
    /// Finds the next hop of a destination, and asks for its Ethernet address where that is not known yet.
    ///
    /// For programs that have nothing else to do meanwhile: takes in changes, and waits for them.
    ///
    /// - Parameters:
    ///   - query: where to, and by which interface.
    ///   - milliseconds: how long to wait for an answer.
    public func nextHop(_ query: Route.Query, within milliseconds: Int) throws(TrafficRouteError) -> NextHop {
        let start = Clock.monotonic
        let deadline = start &+ UInt64(milliseconds) &* 1_000_000
        var nextProbe = start
        while true {
            let waiting: NextHop
            switch try TrafficRouteError.lift({ () throws(HostError) in try resolve(query) }) {
            case .resolved(let hop): return hop
            case .unreachable(let reason): throw .unreachable(reason)
            case .unresolved(let hop): waiting = hop
            }
            let now = Clock.monotonic
            guard let neighbor = waiting.neighbor, now < deadline else {
                throw .unresolved(
                    neighbor: waiting.neighbor?.address ?? query.destination,
                    interface: waiting.neighbor.flatMap { links[$0.interface]?.name }
                        ?? waiting.interfaceName,
                    milliseconds: milliseconds)
            }
            try TrafficRouteError.lift { () throws(HostError) in
                if now >= nextProbe {
                    // A neighbor that failed is asked anew.
                    try probe(neighbor)
                    nextProbe = now &+ 1_000_000_000
                }
                var news = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = unsafe poll(&news, 1, Int32(min((deadline - now) / 1_000_000 + 1, 100)))
                _ = try process()
            }
        }
    }
}

extension TrafficRouteError {
    fileprivate static func lift<Value>(
        _ body: () throws(HostError) -> Value
    ) throws(TrafficRouteError) -> Value {
        do throws(HostError) { return try body() } catch { throw .host(error) }
    }
}
