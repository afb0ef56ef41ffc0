import CLinux
import Glibc

/// A UDP socket that only counts.
public final class Receiver {
    private let socket: BoundSocket

    /// Opens it in the network namespace of the calling thread, for all addresses of both versions of IP.
    public init(port: UInt16) throws {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        socket = try BoundSocket(AF_INET6, APUS_SOCK_DGRAM | APUS_SOCK_CLOEXEC, to: address, "port \(port)")
        var size: CInt = 64 << 20
        unsafe setsockopt(socket.descriptor, SOL_SOCKET, 33, &size, 4)  // SO_RCVBUFFORCE
    }

    /// How many datagrams have come since the last time.
    public func count() -> Int {
        var octets = [UInt8](repeating: 0, count: 2048)
        var count = 0
        while unsafe recv(socket.descriptor, &octets, octets.count, Int32(MSG_DONTWAIT)) >= 0 { count += 1 }
        return count
    }
}

extension Namespace {
    /// How many IPv4 packets have come to it.
    public func receivedPackets() throws -> Int {
        let lines = try run("grep", "^Ip:", "/proc/net/snmp").standardOutput.split(separator: "\n")
            .map { $0.split(separator: " ") }
        guard let place = lines[0].firstIndex(of: "InReceives") else { throw LabError("no InReceives") }
        return Int(lines[1][place])!
    }

    /// How many IPv6 packets have come to it that were not multicast, as those are by which neighbors and groups are found.
    public func receivedPackets6() throws -> Int {
        let words = try run("cat", "/proc/net/snmp6").standardOutput.split(whereSeparator: \.isWhitespace)
        func count(_ name: String) throws -> Int {
            guard let place = words.firstIndex(of: name[...]) else { throw LabError("no \(name)") }
            return Int(words[place + 1])!
        }
        return try count("Ip6InReceives") - count("Ip6InMcastPkts")
    }

    /// How many packets an interface could not send: those of a veth pair, since there was no room at the other end.
    public func unsentPackets(_ interface: String) throws -> Int {
        let text = try run("cat", "/sys/class/net/\(interface)/statistics/tx_dropped").standardOutput
        return Int(text.prefix { $0.isNumber }) ?? 0
    }
}
