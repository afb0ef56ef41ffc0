public import ApusPorts

/// An interface of a running forwarder was deleted, or one of its name is there again; or its link went down or up.
public enum InterfaceNews: Sendable, CustomStringConvertible {
    /// The link of one that the kernel does not have went down, or came up again, with the rest that is known of it.
    case link(String, isUp: Bool, details: String)
    /// An address of one that the kernel does not have is used by another host too, or is not any more.
    case conflict(String, String)
    /// It was deleted, or went to another network namespace.
    case lost(String)
    /// One of that name is there and up, but can't be opened; told again when the reason is another one.
    case refused(String, reason: String)
    /// One of that name is open again, with what its ports were granted.
    case returned(String, [PortGrant])

    /// One line for a log.
    public var description: String {
        switch self {
        case .conflict(let name, let text): "\(name): \(text)"
        case .link(let name, true, let details):
            "\(name): its link is up again\(details.isEmpty ? "" : ", \(details)")"
        case .link(let name, false, _): "\(name): \(DeviceHost.linkDown)"
        case .lost(let name):
            "\(name) is gone, and its ports are closed; one of that name is opened when it is there and up"
        case .refused(let name, let reason):
            "\(name) is there again, but can't be opened: \(reason); tried on once a second"
        case .returned(let name, let grants):
            "\(name) is back and open again\(grants.first.map(Self.text) ?? "")"
        }
    }

    /// The backend, and what is less than asked for.
    private static func text(of grant: PortGrant) -> String {
        let lesser = grant.lesser.map { "\($0.name) \($0.granted): \($0.reason ?? "")" }
        return ([" over \(grant.backend.rawValue)"] + lesser).joined(separator: "; ")
    }
}
