public import ApusConfig

extension ForwarderService {
    /// Sees whether this host has what the control socket and the metrics server of a configuration need: the group,
    /// the folder, the address. Only reads; who uses the path or the port now is not looked at, as it may be the
    /// forwarder that is to take the configuration up.
    public static func check(_ configuration: ForwarderConfiguration) throws(ServiceError) {
        if let wanted = configuration.metrics {
            do throws(ServiceError) {
                try ListeningSocket.check(wanted.listen)
            } catch {
                throw .configuration(
                    ConfigurationErrors(configuration.error("\(error)", at: wanted.map["listen"])))
            }
        }
        if let wanted = configuration.control { try ControlListener.check(wanted) }
    }
}
