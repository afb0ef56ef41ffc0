public import ApusConfig
import ApusHost
public import ApusXDP
import Glibc

/// Why the filter of an interface could not be loaded, changed or asked: the interface, the cause and the way out.
public struct FilterError: Error, Hashable, Sendable {
    /// What stood in the way.
    public enum Cause: Hashable, Sendable {
        /// The interface, or what is on it.
        case interface(XDPError)
        /// The rules are wrong.
        case rules(ConfigurationErrors)
        /// No filter is loaded on the interface.
        case notLoaded
        /// The filter was taken off by another tool, and its state is still kept; these XDP programs are there now.
        case takenOff(now: [String])
        /// The entry program of a filter is on the interface, and its state is not kept here.
        case withoutState
        /// The interface carries no Ethernet frames; its kind, where the kernel says one.
        case notEthernet(kind: String?)
        /// A filter is loaded already.
        case alreadyLoaded
        /// No BPF file system is mounted, so nothing could be kept.
        case noBPFFileSystem(String)
        /// The filter was loaded by a version of Apus whose state this one can't read.
        case otherVersion(found: String)
        /// Another command has been changing filters for seconds.
        case busy
        /// What was to be removed is not there; the nearest thing that is.
        case notThere(String)
        /// This can't be had.
        case unavailable(String)
        /// Of several filters some were dealt with and others not.
        case partly(done: [RateLimitFilter.Removed], errors: [FilterError])
        /// The kernel refused.
        case failed(String, code: Int32, detail: String)
    }

    /// The interface's name.
    public let interface: String
    /// What stood in the way.
    public let cause: Cause

    init(_ interface: String, _ cause: Cause) { (self.interface, self.cause) = (interface, cause) }

    init(_ interface: String, notPermittedTo purpose: String, missing: [String]) {
        self.init(
            interface, .interface(XDPError(interface, .notPermitted(missing: missing, doing: purpose))))
    }

    init(_ interface: String, _ error: BPFError) {
        self.init(interface, .failed(error.operation, code: error.code, detail: error.detail))
    }
}

extension FilterError: CustomStringConvertible {
    /// The interface, the cause and the way out.
    public var description: String {
        switch cause {
        case .interface(let error): error.description
        case .rules(let errors): errors.description
        case .notLoaded: "\(interface): no filter is loaded; load one with `apus filter load \(interface)`"
        case .takenOff(let now):
            "\(interface): its filter was taken off by another tool, so all packets pass it; "
                + (now.isEmpty
                    ? "" : "on the interface is now \(now.map { "\"\($0)\"" }.joined(separator: " and ")); ")
                + "its state is kept: load a filter anew with `apus filter load \(interface)`, or remove the state with "
                + "`apus filter unload \(interface)`"
        case .withoutState:
            "\(interface): a filter of Apus is on it whose state is not kept here, as when the interface came from another "
                + "network namespace, or its pins are in another mount namespace; take it off with "
                + "`apus filter unload \(interface)`"
        case .notEthernet(let kind):
            "\(interface): its packets have no Ethernet header"
                + (kind.map { ", as those of an interface of the kind \"\($0)\"" } ?? "")
                + ", with which the filter begins; load it on the interface below, which carries Ethernet, or use nftables"
        case .alreadyLoaded:
            "\(interface): a filter is loaded already; change its rules with `apus filter reload \(interface) --config FILE`"
        case .noBPFFileSystem(let root):
            "\(interface): no BPF file system is mounted at \(root), and without one a filter can't stay; "
                + "mount it with `\(BPFFileSystem.mountCommand(at: root))`"
        case .otherVersion(let found):
            "\(interface): the filter was loaded by \(found), whose state this version can't read; unload it with "
                + "`apus filter unload \(interface)` and load it anew"
        case .busy:
            "\(interface): another command is changing filters; try again when it has ended"
        case .notThere(let what): "\(interface): \(what)"
        case .unavailable(let what): "\(interface): \(what)"
        case .partly(_, let errors): errors.map(\.description).joined(separator: "\n")
        case .failed(let operation, let code, let detail):
            "\(interface): \(BPFError(operation, code: code, detail: detail))"
        }
    }
}

/// Runs what may throw an error of the kernel's, and names the interface.
func about<Result>(
    _ interface: String, _ body: () throws(BPFError) -> Result
) throws(FilterError) -> Result {
    do throws(BPFError) {
        return try body()
    } catch {
        // Verifiers of kernels before Linux 6.6 may let nobody compare a pointer into a packet who lacks this.
        let missing = Capability.missing(of: [.perfmon])
        guard error.code == EACCES, error.detail.contains("pointer comparison prohibited"), !missing.isEmpty
        else { throw FilterError(interface, error) }
        throw FilterError(
            interface, notPermittedTo: "load its packet filter on this kernel", missing: missing)
    }
}
