public import ApusConfig
import ApusHost

extension Forwarder {
    /// Holds a configuration against itself and this host, as ``init(_:)`` does first. Only reads, and needs no
    /// privilege.
    ///
    /// What shows only when it is tried is left out, as it may differ at the start: whether ports are in use, what the
    /// process may do, and what drivers grant.
    ///
    /// - Returns: what is legal, and may not be what was meant on this host, with its place.
    public static func check(_ configuration: ForwarderConfiguration) throws(ForwarderError)
        -> [ConfigurationError]
    {
        let host = try ForwarderError.lift { () throws(HostError) in try HostView() }
        return try check(configuration, on: host).warnings
    }
}
