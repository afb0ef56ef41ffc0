import Glibc
import Synchronization

/// A small network of namespaces joined by veth links, for a test.
///
/// Labs share nothing, so tests may run side by side. All of it goes with the last reference to the lab and
/// its namespaces, or with `close()`, or, when the test process dies, with the process. Needs root.
///
///     let lab = NetworkLab("forwarding")
///     defer { lab.close() }
///     let a = try lab.namespace("a"), b = try lab.namespace("b")
///     try lab.link(a, "va", ["192.0.2.1/24"], b, "vb", ["192.0.2.2/24"])
///     try a.run("ping", "-c", "1", "192.0.2.2")
///
/// Keep the `defer`: a lab that nobody mentions any more may be released before the end of the test.
public final class NetworkLab: Sendable {
    private static let counter = Atomic<Int>(0)

    private let name: String
    private let state = LabState()

    /// Makes an empty lab; `purpose` becomes part of the names of its namespaces.
    public init(_ purpose: String) {
        let (number, _) = Self.counter.add(1, ordering: .relaxed)
        name = "apus-\(getpid())-\(number)-\(purpose)"
    }

    /// Makes a namespace with a loopback interface that is up.
    public func namespace(_ name: String) throws -> Namespace {
        try Namespace("\(self.name)-\(name)", lab: state)
    }

    /// Joins two namespaces by a veth pair that is up, with addresses that can be used at once.
    ///
    /// - Parameters:
    ///   - firstAddresses: with prefix length: `192.0.2.1/24`, `2001:db8::1/64`.
    ///   - queues: receive and transmit queues of each end.
    ///   - mtu: of both ends, in bytes.
    ///   - offloads: false makes the link behave like a wire: the kernel computes checksums before it
    ///     sends and never hands over a segment larger than the MTU.
    public func link(
        _ first: Namespace, _ firstName: String, _ firstAddresses: [String],
        _ second: Namespace, _ secondName: String, _ secondAddresses: [String],
        queues: Int = 1, mtu: Int = 1500, offloads: Bool = false
    ) throws {
        let counts = ["numrxqueues", "\(queues)", "numtxqueues", "\(queues)"]
        try first.run(
            ["ip", "link", "add", "name", firstName, "mtu", "\(mtu)"] + counts
                + ["type", "veth", "peer", "name", secondName, "netns", "\(second.pid)", "mtu", "\(mtu)"]
                + counts)
        for (space, name, addresses) in [
            (first, firstName, firstAddresses), (second, secondName, secondAddresses),
        ] {
            if !offloads {
                try space.run("ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            }
            try space.run("ip", "link", "set", "dev", name, "up")
            for address in addresses {
                let flags = address.contains(":") ? ["nodad"] : []
                try space.run(["ip", "address", "add", address, "dev", name] + flags)
            }
        }
    }

    /// Joins two namespaces by a veth pair that is up and has no addresses but link-local ones.
    public func link(
        _ first: Namespace, _ firstName: String, _ second: Namespace, _ secondName: String,
        queues: Int = 1, mtu: Int = 1500, offloads: Bool = false
    ) throws {
        try link(first, firstName, [], second, secondName, [], queues: queues, mtu: mtu, offloads: offloads)
    }

    /// Runs a command in a namespace; see `Namespace.run`.
    @discardableResult
    public func run(
        in namespace: Namespace, _ command: [String], timeout: Duration = .seconds(30)
    ) throws -> Output {
        try namespace.run(command, timeout: timeout)
    }

    /// Starts a command in a namespace; see `Namespace.start`.
    public func start(in namespace: Namespace, _ command: [String]) throws -> Running {
        try namespace.start(command)
    }

    /// Runs a command in the namespaces of the test process itself.
    ///
    /// - Throws: `LabError` with what the command wrote if it fails or does not end in time.
    @discardableResult
    public static func run(
        _ command: [String], environment: [String: String] = [:], input: String = "",
        timeout: Duration = .seconds(30)
    ) throws -> Output {
        try Running(command, prefix: [], environment: environment, input: input).finish(within: timeout)
    }

    /// Starts a command in the namespaces of the test process itself; it ends at the latest with the last reference to it.
    public static func start(_ command: [String], environment: [String: String] = [:]) throws -> Running {
        try Running(command, prefix: [], environment: environment, input: "")
    }

    /// Ends all processes and removes all namespaces now. May be called again.
    public func close() { state.close() }
}
