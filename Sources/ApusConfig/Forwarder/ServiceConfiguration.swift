public import ApusWire

/// The UNIX socket through which a running forwarder is asked and reloaded.
public struct ControlConfiguration: Hashable, Sendable {
    /// The absolute path of the socket, at most 107 bytes (unix(7)), in a folder that not everybody may write to. A
    /// folder in /run, which is empty after each boot, is made if it is missing, with mode 0755; it stays.
    public var socket: String
    /// The permissions of the socket, as for chmod(1).
    public var mode: FileMode
    /// The group that owns it, or nil for the process's own.
    public var group: String?
    /// Where it was written.
    public var map: SourceMap

    /// A socket that only its owner may use, unless other values are given.
    public init(
        socket: String, mode: FileMode = FileMode(bits: 0o600), group: String? = nil,
        map: SourceMap = SourceMap()
    ) {
        (self.socket, self.mode, self.group, self.map) = (socket, mode, group, map)
    }
}

/// The permissions of a file, written in octal digits: `"0660"`.
public struct FileMode: Hashable, Sendable, ConfigurationValue {
    /// The nine permission bits.
    public var bits: UInt32

    /// Makes permissions of their bits.
    public init(bits: UInt32) { self.bits = bits & 0o777 }

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "octal permissions in quotes, such as \"0660\"" }

    /// Reads three or four octal digits in quotes.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> FileMode {
        guard case .string(let text) = value.kind, (3...4).contains(text.utf8.count), text.first != "+",
            let bits = UInt32(text, radix: 8), bits <= 0o777
        else { throw ValueRefusal(expected: expectation, found: value) }
        return FileMode(bits: bits)
    }
}

/// The HTTP server that answers `/metrics` and `/health`.
public struct MetricsConfiguration: Hashable, Sendable {
    /// Where it listens: on loopback, unless another address is given.
    public var listen: Endpoint
    /// Where it was written.
    public var map: SourceMap

    /// The customary place: port 9469 of the loopback address.
    public static let defaultListen = Endpoint(.v4(IPv4Address(bits: 0x7f00_0001)), port: 9469)

    /// A server at `listen`.
    public init(listen: Endpoint = Self.defaultListen, map: SourceMap = SourceMap()) {
        (self.listen, self.map) = (listen, map)
    }
}

/// The threads that forward, and what they do when no packet comes.
public struct WorkerConfiguration: Hashable, Sendable {
    /// How many there are, 1 to 256; nil means one for each of ``cpus``, or one for each queue if none is named.
    public var count: Int?
    /// The core that each is pinned to, by the kernel's number, 0 to 1023; nil means wherever the kernel puts them.
    public var cpus: [Int]?
    /// How long an idle worker spins before it sleeps, in microseconds: 0 to 1,000,000.
    public var spin: Int
    /// How long an idle worker sleeps at most until it looks again, in microseconds: 0 to 1,000,000. A packet
    /// wakes it earlier. 0 means that it never sleeps, and keeps its core busy.
    public var sleep: Int
    /// Where it was written.
    public var map: SourceMap

    /// The defaults, unless other values are given.
    public init(
        count: Int? = nil, cpus: [Int]? = nil, spin: Int = 25, sleep: Int = 10_000,
        map: SourceMap = SourceMap()
    ) {
        (self.count, self.cpus, self.spin, self.sleep, self.map) = (count, cpus, spin, sleep, map)
    }
}

/// What may be used at most, so that neither a file nor a peer can use up the host.
public struct LimitConfiguration: Hashable, Sendable {
    /// Streams: 1 to 1,000,000.
    public var streams: Int
    /// Destinations of one stream: 1 to 1024.
    public var destinations: Int
    /// Packets that one worker holds back while the link-layer addresses of their next hops are asked for,
    /// 0 to 65,536; more are dropped and counted. What the rings need of a pool's frames is not to be had.
    /// One next hop gets as many of them as are free for others: half
    /// of them when only one is asked for.
    public var pendingPackets: Int
    /// Where it was written.
    public var map: SourceMap

    /// The defaults, unless other values are given.
    public init(
        streams: Int = 65_536, destinations: Int = 64, pendingPackets: Int = 256, map: SourceMap = SourceMap()
    ) {
        (self.streams, self.destinations, self.pendingPackets, self.map) = (
            streams, destinations, pendingPackets, map
        )
    }
}
