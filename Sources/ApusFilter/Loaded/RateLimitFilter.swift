public import ApusConfig
import ApusHost
import ApusXDP
import CFilter
import Glibc

/// The rate-limit filter of one interface: an XDP program that stays there, with rules that can be changed while packets
/// flow.
///
/// ```swift
/// var rules = FilterRules()
/// rules.limits = [FilterLimit(scope: .source, packets: PacketRate(perSecond: 1000))]
/// let filter = try RateLimitFilter.load(rules, on: "eth0")
/// try filter.add(FilterEntry(.source(AddressPrefix("203.0.113.0/24")!), .deny))
/// print(try filter.status().passed.packets)
/// try filter.unload()
/// ```
///
/// A value names the filter and holds nothing: it is read anew by each call, so several processes may change a filter in
/// turn. It stays when all of them have ended, until it is unloaded or the machine is.
///
/// Control plane: all members may be called from any thread, in the network namespace of the interface; each costs system
/// calls. Changing needs CAP_BPF and CAP_NET_ADMIN, kernels before Linux 6.6 may want CAP_PERFMON too, and a BPF file
/// system that the process may write to.
public struct RateLimitFilter: Hashable, Sendable {
    /// The interface's name.
    public let interface: String
    let store: FilterStore

    /// Where the program runs.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// Native where the driver can, otherwise generic, with a remark that says why.
        case auto
        /// In the driver, or not at all.
        case native
        /// In the kernel's stack, on the socket buffer.
        case generic
        /// On the NIC, which no program with maps of these kinds can: always refused.
        case offload
    }

    /// The filter that is loaded on an interface.
    public init(on interface: String) throws(FilterError) {
        let index = try Self.index(of: interface)
        self.init(interface, FilterStore(index: index))
        _ = try current()
    }

    init(_ interface: String, _ store: FilterStore) { (self.interface, self.store) = (interface, store) }

    /// Those that are loaded on the interfaces of this network namespace, by name.
    public static func all() -> [RateLimitFilter] {
        FilterStore.all.compactMap { store in
            interfaceName(store.index).map { RateLimitFilter($0, store) }
        }
        .filter { (try? $0.inForce()) ?? nil != nil }
        .sorted { $0.interface < $1.interface }
    }

    /// What is to be said of those interfaces of this network namespace whose filter another tool has taken off, while its
    /// state is kept; by name.
    public static func takenOff() -> [FilterError] {
        FilterStore.all.compactMap { store in
            interfaceName(store.index).map { RateLimitFilter($0, store) }
        }
        .filter(\.isTakenOff).map { $0.absence() }.sorted { $0.interface < $1.interface }
    }

    /// The rules in force, with what is left of lifetimes.
    public func rules() throws(FilterError) -> FilterRules {
        let current = try current()
        return try about(interface) { () throws(BPFError) in try current.rules(at: monotonicTime) }
    }

    /// The services of management in force, which costs less than all rules.
    public func management() throws(FilterError) -> [ManagementService] {
        try current().state.rules.management
    }

    /// What is in force and attached; nil if there is none.
    func inForce() throws(FilterError) -> InForce? {
        guard let found = try InForce(store, interface: interface),
            InterfaceProgram.isAttached(found.entry.id, to: store.index) != false
        else { return nil }
        return found
    }

    /// What is in force.
    func current() throws(FilterError) -> InForce {
        guard let found = try inForce() else { throw absence() }
        return found
    }

    /// Whether all of its state is there, and the program is not on the interface: another tool has taken it off.
    var isTakenOff: Bool {
        guard interfaceName(store.index) != nil, let found = try? InForce(store, interface: interface) else {
            return false
        }
        return InterfaceProgram.isAttached(found.entry.id, to: store.index) == false
    }

    /// What to say where nothing is in force.
    func absence() -> FilterError {
        if isTakenOff {
            return FilterError(interface, .takenOff(now: programs().map(\.name).sorted()))
        }
        return FilterError(interface, programsWithoutState().isEmpty ? .notLoaded : .withoutState)
    }

    /// The entry programs on the interface when nothing is kept of any.
    func programsWithoutState() -> [XDPAttachment] {
        store.exists ? [] : programs().filter { $0.name == Self.entryName }
    }

    /// What the kernel shows of programs on the interface.
    private func programs() -> [XDPAttachment] { (try? XDPAttachment.all(on: interface)) ?? [] }

    /// The entry program's name.
    static let entryName = "apus_filter"

    static func index(of interface: String) throws(FilterError) -> Int32 {
        do throws(XDPError) {
            return try interfaceIndex(interface)
        } catch {
            throw FilterError(interface, .interface(error))
        }
    }

    /// Runs `body` while no other command changes filters, if this process may change them.
    static func locked<Result>(
        _ interface: String, _ body: () throws(FilterError) -> Result
    ) throws(FilterError) -> Result {
        guard BPFFileSystem.isMounted else {
            throw FilterError(interface, .noBPFFileSystem(BPFFileSystem.root))
        }
        let missing = Capability.missing(of: Capability.toFilter)
        guard missing.isEmpty else {
            throw FilterError(interface, notPermittedTo: "change its packet filter", missing: missing)
        }
        let lock = try about(interface) { () throws(BPFError) in try FilterStore.Lock() }
        guard let lock else { throw FilterError(interface, .busy) }
        return try withExtendedLifetime(lock) { () throws(FilterError) in try body() }
    }
}
