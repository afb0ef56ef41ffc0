/// All that the forwarder is told: from a JSON5 file, from the command line, or built in code.
///
/// ```json5
/// {
///   defaults: { backend: "auto" },
///   interfaces: [{ name: "eth0", queues: 2 }],
///   streams: [
///     { name: "camera", listen: "192.0.2.1:5004", to: ["198.51.100.7:5004", "[2001:db8::7]:5004"] },
///   ],
///   control: { socket: "/run/apus/control.sock" },
///   metrics: { listen: "127.0.0.1:9469" },
/// }
/// ```
///
/// Two configurations are equal when they say the same, wherever it is written in their files.
public struct ForwarderConfiguration: Hashable, Sendable {
    /// How a port is opened on an interface that streams need and ``interfaces`` does not list.
    public var defaults: PortConfiguration
    /// The interfaces that are opened in a way of their own, whether streams need them or not. Where there are some, a
    /// stream that listens at any address listens on these and those that streams leave by.
    public var interfaces: [InterfaceConfiguration]
    /// How DPDK is started, if an interface is over it.
    public var dpdk: DPDKConfiguration
    /// The streams.
    public var streams: [StreamConfiguration]
    /// The control socket, or nil for none.
    public var control: ControlConfiguration?
    /// The HTTP server for metrics and health, or nil for none.
    public var metrics: MetricsConfiguration?
    /// The threads that forward.
    public var workers: WorkerConfiguration
    /// What may be used at most.
    public var limits: LimitConfiguration
    /// The text it was read from.
    public var source: ConfigurationSource

    /// A configuration of `streams` with the defaults for all the rest.
    public init(
        streams: [StreamConfiguration], interfaces: [InterfaceConfiguration] = [],
        defaults: PortConfiguration = PortConfiguration(), dpdk: DPDKConfiguration = DPDKConfiguration(),
        control: ControlConfiguration? = nil,
        metrics: MetricsConfiguration? = nil, workers: WorkerConfiguration = WorkerConfiguration(),
        limits: LimitConfiguration = LimitConfiguration(), source: ConfigurationSource = .none
    ) {
        self.streams = streams
        self.interfaces = interfaces
        self.defaults = defaults
        self.dpdk = dpdk
        self.control = control
        self.metrics = metrics
        self.workers = workers
        self.limits = limits
        self.source = source
    }

    /// How the port on `interface` is opened: as listed, or as ``defaults`` say.
    public func port(on interface: String) -> PortConfiguration {
        interfaces.first { $0.name == interface }?.port ?? defaults
    }

    /// An error about a place of this configuration, for checks that need the host: `location` is what one of
    /// the maps says, such as `stream.map["listen"]`.
    public func error(
        _ message: String, at location: ConfigurationLocation, notes: [ConfigurationError.Note] = []
    ) -> ConfigurationError {
        ConfigurationError(message, at: location, in: source, notes: notes)
    }
}
