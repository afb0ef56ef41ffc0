public import ApusWire

/// By what an operator may be connected to this host: the interfaces of default routes, and the addresses of SSH
/// connections. In the network namespace of the process; reading it needs no privilege.
public struct RemoteAccess: Sendable, Equatable {
    /// The interfaces that default routes lead to, each once.
    public var routeInterfaces: [String]
    /// The addresses of this host that SSH connections come to, each once.
    public var sshAddresses: [IPAddress]

    /// Reads what the kernel says now.
    ///
    /// - Parameter sshConnection: the variable SSH_CONNECTION, which tells of one that comes to another port than 22.
    public static func current(sshConnection: String? = nil) -> RemoteAccess {
        RemoteAccess(root: "", sshConnection: sshConnection)
    }

    /// Reads below another root than `/`, so that hosts of other kinds can be tried.
    init(root: String, sshConnection: String?) {
        (routeInterfaces, sshAddresses) = ([], [])
        func addRoute(_ name: Substring) {
            if name != "lo", !routeInterfaces.contains(String(name)) { routeInterfaces.append(String(name)) }
        }
        func addAddress(_ address: IPAddress?) {
            if let address, !sshAddresses.contains(address) { sshAddresses.append(address) }
        }
        // Iface Destination Gateway Flags RefCnt Use Metric Mask … (net/ipv4/fib_trie.c)
        for fields in Self.rows("\(root)/proc/net/route")
        where fields.count > 7 && fields[1] == "00000000" && fields[7] == "00000000" {
            addRoute(fields[0])
        }
        // Destination, prefix, source, prefix, next hop, metric, references, uses, flags, interface (net/ipv6/route.c)
        for fields in Self.rows("\(root)/proc/net/ipv6_route")
        where fields.count > 9 && fields[0].allSatisfy({ $0 == "0" }) && fields[1] == "00" {
            addRoute(fields[9])
        }
        // sl local_address rem_address st …, of which 01 is established (net/ipv4/tcp_ipv4.c)
        for file in ["tcp", "tcp6"] {
            for fields in Self.rows("\(root)/proc/net/\(file)") where fields.count > 3 && fields[3] == "01" {
                let ends = fields[1].split(separator: ":")
                guard ends.count == 2, UInt16(ends[1], radix: 16) == 22 else { continue }
                addAddress(Self.address(ends[0]))
            }
        }
        // client, its port, address, port (ssh(1))
        let words = sshConnection?.split(separator: " ") ?? []
        if words.count == 4 { addAddress(IPAddress(String(words[2]))) }
    }

    private static func rows(_ path: String) -> [[Substring]] {
        (contents(of: path) ?? "").split(separator: "\n").map { $0.split { $0 == " " || $0 == "\t" } }
    }

    /// The kernel prints each word of an address as the host reads it.
    private static func address(_ digits: Substring) -> IPAddress? {
        var words: [UInt32] = []
        var rest = digits
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            words.append(UInt32(bigEndian: word))
            rest = rest.dropFirst(8)
        }
        switch words.count {
        case 1: return .v4(IPv4Address(bits: words[0]))
        case 4:
            let address = IPv6Address(
                high: UInt64(words[0]) << 32 | UInt64(words[1]),
                low: UInt64(words[2]) << 32 | UInt64(words[3]))
            return address.isIPv4Mapped ? .v4(IPv4Address(bits: words[3])) : .v6(address)
        default: return nil
        }
    }
}
