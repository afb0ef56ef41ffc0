public import ApusWire
import CLinux
import Glibc

/// Holds a UDP port in the kernel for a data path that takes the packets before the kernel, or beside it.
///
/// With it nobody else can bind the port, and the kernel does not answer with "port unreachable" to what an
/// AF_PACKET driver only gets a copy of. A filter lets the socket itself take nothing, so it costs no memory.
/// Dropping the guard gives the port back.
public struct PortGuard: ~Copyable, Sendable {
    /// What it holds.
    public let endpoint: Endpoint
    private let descriptor: Int32

    /// Takes an address and port; the address must be on this host, `0.0.0.0` or `::` (which here is IPv6
    /// only), or a group. Ports below 1024 need CAP_NET_BIND_SERVICE.
    ///
    /// A group is joined on that interface for as long as it is held, so that the kernel asks routers and
    /// switches for it (IGMP, MLD) and the device lets it in.
    ///
    /// - Parameter interface: the index of the interface, which IPv6 link-local addresses and groups need; a
    ///   group is joined nowhere without it.
    /// - Throws: `portInUse` with its holder, `addressNotOnHost`, `tooManyDescriptors`,
    ///   `missingCapabilities`, or `systemCall`.
    public init(_ endpoint: Endpoint, interface: Int32 = 0) throws(HostError) {
        let socket = try Self.openSocket(endpoint)
        do {
            try Self.prepare(socket, endpoint)
            try Self.bind(socket, endpoint, interface)
            if endpoint.address.isMulticast, interface != 0 { try Self.join(socket, endpoint, interface) }
        } catch {
            close(socket)
            throw error
        }
        (self.endpoint, descriptor) = (endpoint, socket)
    }

    deinit { close(descriptor) }

    private static func openSocket(_ endpoint: Endpoint) throws(HostError) -> Int32 {
        let kind = CInt(APUS_SOCK_DGRAM | APUS_SOCK_CLOEXEC | APUS_SOCK_NONBLOCK)
        let first = socket(endpoint.address.family, kind, 0)
        if first >= 0 { return first }
        let code = errno
        guard code == EMFILE else { throw .systemCall("socket for \(endpoint)", code) }
        // Thousands of streams are more than the usual soft limit of 1024; the hard one is ours to use.
        let limit = DescriptorLimit.raise()
        let second = socket(endpoint.address.family, kind, 0)
        guard second >= 0 else { throw .tooManyDescriptors(limit: limit) }
        return second
    }

    /// Before the socket is bound, so that not one datagram gets into it.
    private static func prepare(_ descriptor: Int32, _ endpoint: Endpoint) throws(HostError) {
        if apus_drop_everything(descriptor) != 0 {
            // Before the text is made, which calls what may change it.
            let code = errno
            throw .systemCall("setsockopt(SO_ATTACH_FILTER) for \(endpoint)", code)
        }
        // The kernel rounds it up to its least.
        setOption(descriptor, SOL_SOCKET, SO_RCVBUF, 0)
        // An IPv6 guard takes the IPv6 port only, so that one for IPv4 can stand beside it.
        if case .v6 = endpoint.address { setOption(descriptor, APUS_IPPROTO_IPV6, IPV6_V6ONLY, 1) }
    }

    private static func setOption(_ descriptor: Int32, _ level: CInt, _ option: CInt, _ value: CInt) {
        var value = value
        unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    /// RFC 3376 section 2, RFC 3810 section 3: from any source.
    private static func join(_ descriptor: Int32, _ endpoint: Endpoint, _ interface: Int32) throws(HostError)
    {
        let joined: Int32
        switch endpoint.address {
        case .v4(let group):
            var request = ip_mreqn()
            request.imr_multiaddr.s_addr = group.bits.bigEndian
            request.imr_ifindex = interface
            joined = unsafe setsockopt(
                descriptor, APUS_IPPROTO_IP, IP_ADD_MEMBERSHIP, &request,
                socklen_t(MemoryLayout<ip_mreqn>.size))
        case .v6(let group):
            var request = ipv6_mreq()
            unsafe withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) { octets in
                unsafe octets.storeBytes(of: group.high.bigEndian, as: UInt64.self)
                unsafe octets.storeBytes(of: group.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            request.ipv6mr_interface = UInt32(bitPattern: interface)
            joined = unsafe setsockopt(
                descriptor, APUS_IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request,
                socklen_t(MemoryLayout<ipv6_mreq>.size))
        }
        if joined != 0 {
            let code = errno
            throw .systemCall("joining the group \(endpoint.address) on interface \(interface)", code)
        }
    }

    private static func bind(_ descriptor: Int32, _ endpoint: Endpoint, _ interface: Int32) throws(HostError)
    {
        guard bindSocket(descriptor, to: endpoint, scope: interface) != 0 else { return }
        let code = errno
        switch code {
        case EADDRINUSE: throw .portInUse(endpoint, holder: PortHolder.find(endpoint))
        case EADDRNOTAVAIL:
            let addresses = try HostView().addresses.map(\.address)
            throw .addressNotOnHost(endpoint, existing: addresses)
        case EACCES:
            throw .missingCapabilities([.netBindService], purpose: "listening on port \(endpoint.port)")
        default: throw .systemCall("bind to \(endpoint)", code)
        }
    }
}

/// RLIMIT_NOFILE: how many files and sockets this process may have open.
public enum DescriptorLimit {
    /// Raises the soft limit to the hard one.
    ///
    /// - Returns: the limit that is now in force.
    @discardableResult
    public static func raise() -> UInt64 {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return UInt64(limit.rlim_cur)
    }
}
