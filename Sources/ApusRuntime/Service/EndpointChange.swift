import ApusConfig
import ApusWire

/// The control socket and the metrics server that a new configuration asks for, opened before the forwarder
/// takes it up, so that one that can't be had refuses the whole configuration.
struct EndpointChange: ~Copyable {
    private let wanted: ForwarderConfiguration
    private var listener: ControlListener?
    private var server: MetricsServer?
    private let keepsServer: Bool
    // Where the server listened that had to make room for the new one.
    private var closed: Endpoint?
    private let cache: StatusCache

    /// - Parameter metrics: closed here if the new one has the same port at overlapping addresses, since the
    ///   kernel gives them to one socket only; ``undo(_:)`` brings it back.
    init(
        to wanted: ForwarderConfiguration, control: ControlSocket?, metrics: inout MetricsServer?,
        cache: StatusCache
    ) throws(ServiceError) {
        (self.wanted, self.cache) = (wanted, cache)
        keepsServer = wanted.metrics?.listen == metrics?.endpoint
        if let new = wanted.control, new.socket != control?.configuration.socket,
            control?.isServing(new.socket) != true
        {
            listener = try ControlListener(new)
        } else {
            listener = nil
        }
        server = nil
        closed = nil
        guard let new = wanted.metrics, !keepsServer else { return }
        if let old = metrics?.endpoint, old.overlaps(new.listen) {
            closed = old
            metrics = nil
        }
        do throws(ServiceError) {
            server = try MetricsServer(for: wanted) { cache.snapshot }
        } catch {
            try undo(&metrics)
            throw error
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

    /// Goes back to the old ones. Throws if somebody has taken the place of the metrics server meanwhile, which
    /// is gone then.
    mutating func undo(_ metrics: inout MetricsServer?) throws(ServiceError) {
        server = nil
        guard let endpoint = closed.take() else { return }
        do throws(ServiceError) {
            metrics = try MetricsServer(endpoint) { [cache] in cache.snapshot }
        } catch {
            throw .metricsLost(endpoint, "\(error)")
        }
    }
}

extension Endpoint {
    /// Whether a socket that listens at one of them keeps another from listening at the other.
    fileprivate func overlaps(_ other: Endpoint) -> Bool {
        guard port == other.port else { return false }
        switch (address, other.address) {
        case (.v4, .v4), (.v6, .v6): return address == other.address || address.isAny || other.address.isAny
        default: return false
        }
    }
}
