import ApusPorts

extension PortGrant {
    /// The same, with what was granted beside what its driver says.
    func preceded(by choices: [Feature]) -> PortGrant {
        PortGrant(backend: backend, interface: interface, queue: queue, features: choices + features)
    }
}

extension PortGrant.Feature {
    /// The core of a worker.
    ///
    /// - Parameter code: the error number of a kernel that did not let it on that core.
    init(core: Int, refused code: Int32?) {
        self.init(
            "core", requested: "\(core)", granted: code == nil ? "\(core)" : "any",
            reason: code.map { "the kernel refused it: \(ServiceError.text(of: $0))" })
    }
}
