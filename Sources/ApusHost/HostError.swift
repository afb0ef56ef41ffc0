public import ApusWire
import Glibc

/// Why something about the host can't be known or done, and what to do about it.
public enum HostError: Error, Sendable {
    /// There is no interface of this name; `existing` are the names of those there are.
    case noSuchInterface(String, existing: [String])
    /// Another socket has the port, held by `holder` if this process may know it.
    case portInUse(Endpoint, holder: PortHolder?)
    /// The address is on no interface of this host; `existing` are those that are.
    case addressNotOnHost(Endpoint, existing: [IPAddress])
    /// This process may not have as many descriptors as it needs; `limit` is the hard limit.
    case tooManyDescriptors(limit: UInt64)
    /// The process lacks capabilities that it needs for `purpose`.
    case missingCapabilities([Capability], purpose: String)
    /// The kernel refused a netlink request; `explanation` is its own text, if it gave one.
    case netlink(String, code: Int32, explanation: String)
    /// A system call failed with this `errno`.
    case systemCall(String, Int32)
}

extension HostError: CustomStringConvertible {
    /// The thing, the cause and the way out, in one line.
    public var description: String {
        switch self {
        case .noSuchInterface(let name, let existing):
            return "interface \"\(name)\" does not exist; there are: \(existing.joined(separator: ", "))"
        case .portInUse(let endpoint, let holder):
            let user = holder.map(\.description) ?? "a process of another user; `ss -ulpn` as root names it"
            return "\(endpoint) is in use by \(user); stop it or listen on another port"
        case .addressNotOnHost(let endpoint, let existing):
            let list = existing.map(\.description).joined(separator: ", ")
            return "cannot listen on \(endpoint): no interface has the address \(endpoint.address); "
                + (list.isEmpty ? "there is none: add one with `ip address add`" : "there are: \(list)")
        case .tooManyDescriptors(let limit):
            return "this process may open \(limit) files and sockets, which are used up; "
                + "raise the hard limit (`ulimit -Hn`, or LimitNOFILE= in the unit)"
        case .missingCapabilities(let capabilities, let purpose):
            let names = capabilities.map(\.name).joined(separator: ", ")
            return "\(purpose) needs \(names); run as root, or once: \(Capability.grantCommand(capabilities))"
        case .netlink(let purpose, let code, let explanation):
            let detail = explanation.isEmpty ? "" : " (\(explanation))"
            return "cannot get \(purpose) from the kernel: \(Self.text(of: code))\(detail)"
        case .systemCall(let call, let code):
            return "\(call): \(Self.text(of: code))"
        }
    }

    static func text(of code: Int32) -> String {
        // strerror gives a text that lives on for known codes; strerror_r's two forms are not worth it here.
        unsafe String(cString: strerror(code))
    }
}
