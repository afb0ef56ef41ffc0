/// A thread could not be started.
public struct ThreadError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What pthread_create(3) gave: EAGAIN where a limit is in the way.
    public let code: Int32

    /// The cause and the way out.
    public var description: String {
        "no thread could be started: \(ServiceError.text(of: code)); raise the limit of tasks (TasksMax= and LimitNPROC= "
            + "in a systemd unit, `ulimit -u`), or have fewer workers"
    }
}
