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
        self.init(interface, try Self.store(interface, index))
        _ = try current()
    }

    init(_ interface: String, _ store: FilterStore) { (self.interface, self.store) = (interface, store) }

    /// Those that are loaded on the interfaces of this network namespace, by name. One that another version has loaded, or
    /// that can't be read, is among them: each of its members throws why.
    public static func all() throws(FilterError) -> [RateLimitFilter] {
        try kept().filter { filter in
            do throws(FilterError) { return try filter.inForce() != nil } catch { return true }
        }
        .sorted { $0.interface < $1.interface }
    }

    /// Those of which something is kept and whose interfaces are there, complete or not.
    private static func kept() throws(FilterError) -> [RateLimitFilter] {
        try about(everything) { () throws(BPFError) -> [RateLimitFilter] in
            var all: [RateLimitFilter] = []
            for store in try FilterStore.all() {
                if let name = try interfaceName(store.index) { all.append(RateLimitFilter(name, store)) }
            }
            return all
        }
    }

    /// What is to be said of those interfaces of this network namespace whose filter another tool has taken off, while its
    /// state is kept; by name.
    public static func takenOff() throws(FilterError) -> [FilterError] {
        var errors: [FilterError] = []
        for filter in try kept() where (try? filter.isTakenOff()) == true {
            errors.append(try filter.absence())
        }
        return errors.sorted { $0.interface < $1.interface }
    }

    /// How many filters are kept for other network namespaces. Those of namespaces that have ended are among them, as
    /// nobody can tell which those are; they have no effect, and go with a reboot.
    public static func countElsewhere() throws(FilterError) -> Int {
        try about(everything) { () throws(BPFError) in try FilterStore.countOfOthers() }
    }

    /// The command by which root gives this user a folder to keep filters in; nil where he is root or it is there.
    package static var folderGrant: String? { FilterStore.folderGrant }

    /// What errors are about that are about no interface.
    static let everything = "filters"

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
        guard let found = try InForce(store, interface: interface) else { return nil }
        let isOff = try about(interface) { () throws(BPFError) in
            try InterfaceProgram.isAttached(found.entry.id, to: store.index) == false
        }
        return isOff ? nil : found
    }

    /// What is in force.
    func current() throws(FilterError) -> InForce {
        guard let found = try inForce() else { throw try absence() }
        return found
    }

    /// Whether all of its state is there, and the program is not on the interface: another tool has taken it off.
    func isTakenOff() throws(FilterError) -> Bool {
        guard let found = try InForce(store, interface: interface) else { return false }
        return try about(interface) { () throws(BPFError) in
            guard try interfaceName(store.index) != nil else { return false }
            return try InterfaceProgram.isAttached(found.entry.id, to: store.index) == false
        }
    }

    /// What to say where nothing is in force.
    func absence() throws(FilterError) -> FilterError {
        if try isTakenOff() {
            return FilterError(interface, .takenOff(now: try programs().map(\.name).sorted()))
        }
        return FilterError(interface, try programsWithoutState().isEmpty ? .notLoaded : .withoutState)
    }

    /// The entry programs on the interface, if it is there and nothing is kept of a filter.
    func programsWithoutState() throws(FilterError) -> [XDPAttachment] {
        let isBare = try about(interface) { () throws(BPFError) in
            guard try interfaceName(store.index) == interface else { return false }
            return try !store.exists()
        }
        return try !isBare ? [] : programs().filter { $0.name == Self.entryName }
    }

    /// What the kernel shows of programs on the interface.
    private func programs() throws(FilterError) -> [XDPAttachment] {
        do throws(XDPError) {
            return try XDPAttachment.all(on: interface)
        } catch {
            throw FilterError(interface, .interface(error))
        }
    }

    /// The entry program's name.
    static let entryName = "apus_filter"

    static func store(_ interface: String, _ index: Int32) throws(FilterError) -> FilterStore {
        try about(interface) { () throws(BPFError) in try FilterStore(index: index) }
    }

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
