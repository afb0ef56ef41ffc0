import ApusConfig

/// What a service needs of a forwarder.
protocol ServedForwarder: AnyObject {
    var descriptor: Int32 { get }
    func attend() throws(ForwarderError)
    func reload(_ new: ForwarderConfiguration) throws(ForwarderError)
    func takeNews() -> [InterfaceNews]
    func takeStalls() -> [WorkerStall]
    var warnings: [ConfigurationError] { get }
    func status() -> ForwarderStatus
    func stop() -> ForwarderStatus
}

extension Forwarder: ServedForwarder {}
