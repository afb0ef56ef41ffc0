import ApusConfig

/// The control socket and the metrics server that a new configuration asks for, opened before the forwarder
/// takes it up, so that one that can't be had refuses the whole configuration.
struct EndpointChange: ~Copyable {
    private let wanted: ForwarderConfiguration
    private var listener: ControlListener?
    private var server: MetricsServer?
    private let keepsServer: Bool

    init(
        to wanted: ForwarderConfiguration, control: ControlSocket?, metrics: MetricsServer?,
        cache: StatusCache
    ) throws(ServiceError) {
        self.wanted = wanted
        keepsServer = wanted.metrics?.listen == metrics?.endpoint
        if let new = wanted.control, new.socket != control?.configuration.socket {
            listener = try ControlListener(new)
        } else {
            listener = nil
        }
        if let new = wanted.metrics, !keepsServer {
            server = try MetricsServer(new.listen) { cache.status }
        } else {
            server = nil
        }
    }

    /// Puts them in place of the old ones. Throws if another mode or group of the control socket can't be set.
    consuming func apply(to control: inout ControlSocket?, _ metrics: inout MetricsServer?)
        throws(ServiceError)
    {
        if !keepsServer { metrics = server }
        guard let new = wanted.control else {
            control = nil
            return
        }
        if let listener = listener.take() {
            if let control { try control.move(to: listener) } else { control = try ControlSocket(listener) }
        } else if let control, control.configuration != new {
            try control.change(to: new)
        }
    }
}
