public import ApusConfig
import ApusHost
import ApusXDP
import CFilter
import Glibc

extension RateLimitFilter {
    /// Loads a filter and attaches it to an interface, through libxdp's dispatcher where the kernel has what it needs.
    /// What a command that was killed has left is removed first. When anything fails nothing stays.
    ///
    /// - Parameters:
    ///   - rules: what is to be in force from the first packet on.
    ///   - interface: its name, in the network namespace of the calling thread.
    ///   - mode: where the program runs.
    public static func load(
        _ rules: FilterRules, on interface: String, mode: Mode = .auto
    ) throws(FilterError) -> RateLimitFilter {
        try validate(rules, interface)
        guard mode != .offload else {
            throw FilterError(
                interface,
                .unavailable(
                    "a NIC runs no program that keeps the state of limits for all queues, so the filter can't be offloaded; "
                        + "use --mode native, or auto"))
        }
        // Of that version are bpf_xdp_load_bytes and frames of several buffers.
        guard HostFacts.KernelVersion.running.isAtLeast(5, 18) else {
            throw FilterError(interface, .unavailable("the filter needs Linux 5.18 or later; this is older"))
        }
        let index = try index(of: interface)
        try requireEthernet(interface, index)
        let filter = RateLimitFilter(interface, try store(interface, index))
        return try locked(interface) { () throws(FilterError) in
            guard try filter.inForce() == nil else { throw FilterError(interface, .alreadyLoaded) }
            try filter.clean()
            guard try filter.programsWithoutState().isEmpty else {
                throw FilterError(interface, .withoutState)
            }
            do throws(FilterError) {
                try filter.put(rules, mode)
            } catch {
                _ = try? filter.clean()
                throw error
            }
            return filter
        }
    }

    /// The program takes the first octets of a packet for an Ethernet header.
    private static func requireEthernet(_ interface: String, _ index: Int32) throws(FilterError) {
        // Whether the kernel lets it be asked or not, an interface that is gone by now is said below to be.
        guard let link = try? Link.ask(index), !link.isEthernet else { return }
        throw FilterError(interface, .notEthernet(kind: link.kind))
    }

    /// What there was to take off and to remove.
    public enum Removal: Hashable, Sendable {
        /// The filter, which was on its interface.
        case filter
        /// What was kept of a filter that was not on its interface any more, or not yet.
        case state
        /// What was kept of the filter of an interface that is gone, or in another network namespace; there the program
        /// stays, and lets all pass.
        case stateOfMissingInterface
        /// The program of a filter whose state is not kept here, as of an interface that came from another network
        /// namespace.
        case program
    }

    /// An interface by name, and what there was to remove.
    public struct Removed: Hashable, Sendable {
        /// The interface; one that is gone by the name it had.
        public let interface: String
        /// What there was.
        public let removal: Removal
    }

    /// Takes the filter off its interface and removes all that belongs to it; other programs stay.
    public func unload() throws(FilterError) { _ = try removeAll() }

    private func removeAll() throws(FilterError) -> Removal {
        try Self.locked(interface) { () throws(FilterError) in
            let exists = try about(interface) { () throws(BPFError) in try store.exists() }
            if exists { return try clean() }
            let programs = try programsWithoutState()
            guard !programs.isEmpty else { throw FilterError(interface, .notLoaded) }
            for one in programs {
                try takeOff(about(interface) { () throws(BPFError) in try BPFProgram(id: one.id) })
            }
            return .program
        }
    }

    /// Takes the filter off an interface, complete or not, and whichever version of Apus has loaded it; other programs
    /// stay.
    @discardableResult
    public static func unload(from interface: String) throws(FilterError) -> Removal {
        try RateLimitFilter(interface, store(interface, index(of: interface))).removeAll()
    }

    /// Takes the filters off all interfaces of this network namespace, as ``unload(from:)`` does, with what belongs to
    /// interfaces that are gone. One that can't be taken off does not keep the others: then the error says which were.
    ///
    /// - Returns: the interfaces by name, those that are gone by the name they had; and what there was.
    public static func unloadAll() throws(FilterError) -> [Removed] {
        try forEach { filter throws(FilterError) in try filter.clean() }
    }

    /// Removes what commands that were killed have left, and what belongs to interfaces that are gone; filters that are in
    /// force stay, what is kept of those that another tool has taken off, and all of which it can't be told. What can't be
    /// removed does not keep the rest: then the error says what was.
    ///
    /// - Returns: the interfaces whose leftovers are removed.
    @discardableResult
    public static func cleanUp() throws(FilterError) -> [Removed] {
        try forEach { filter throws(FilterError) in
            do throws(FilterError) {
                guard try filter.inForce() == nil, try !filter.isTakenOff() else { return nil }
            } catch {
                // What another version has put in force is in force.
                return nil
            }
            return try filter.clean()
        }
    }

    /// Does something to all that is kept for this network namespace, and gives the interfaces where it was done, by name.
    private static func forEach(
        _ body: (RateLimitFilter) throws(FilterError) -> Removal?
    ) throws(FilterError) -> [Removed] {
        func stores() throws(FilterError) -> [FilterStore] {
            try about(everything) { () throws(BPFError) in try FilterStore.all() }
        }
        guard try !stores().isEmpty else { return [] }
        return try locked(everything) { () throws(FilterError) in
            var (done, errors): ([Removed], [FilterError]) = ([], [])
            for store in try stores() {
                do throws(FilterError) {
                    let name = try about("interface \(store.index)") { () throws(BPFError) in
                        try store.interfaceName()
                    }
                    if let removal = try body(RateLimitFilter(name, store)) {
                        done.append(Removed(interface: name, removal: removal))
                    }
                } catch {
                    errors.append(error)
                }
            }
            done.sort { $0.interface < $1.interface }
            guard errors.isEmpty else { throw FilterError(everything, .partly(done: done, errors: errors)) }
            return done
        }
    }

    static func validate(_ rules: FilterRules, _ interface: String) throws(FilterError) {
        do throws(ConfigurationErrors) {
            try rules.validate()
        } catch {
            throw FilterError(interface, .rules(error))
        }
    }

    /// Takes off what is on the interface and removes all pins.
    @discardableResult
    private func clean() throws(FilterError) -> Removal {
        let (exists, isThere) = try about(interface) { () throws(BPFError) in
            (try store.exists(), try interfaceName(store.index) != nil)
        }
        guard exists else { return .state }
        var removal = Removal.stateOfMissingInterface
        if isThere {
            removal = .state
            for program in try programsOfOurs() {
                if try takeOff(program) { removal = .filter }
            }
        }
        try about(interface) { () throws(BPFError) in try store.remove() }
        return removal
    }

    /// Takes a program off; whether it was there.
    @discardableResult
    private func takeOff(_ program: BPFProgram) throws(FilterError) -> Bool {
        do throws(XDPError) {
            return try InterfaceProgram.takeOff(program, from: interface, index: store.index)
        } catch {
            throw FilterError(interface, .interface(error))
        }
    }

    /// The entry program: by its pin, or where a command was killed before that, by the slot it jumps by.
    private func programsOfOurs() throws(FilterError) -> [BPFProgram] {
        let found = try about(interface) { () throws(BPFError) -> [BPFProgram]? in
            if try InterfaceProgram.isBare(store.index) { return [] }
            if let entry = try Self.unlessStrange({ () throws(BPFError) in
                try BPFProgram(ifPinnedAt: store.path("entry"))
            }) {
                return try InterfaceProgram.isAttached(entry.id, to: store.index) == false ? [] : [entry]
            }
            // Nothing is attached before there is a slot.
            guard
                let slot = try Self.unlessStrange({ () throws(BPFError) in
                    try BPFMap<UInt32, UInt32>(ifPinnedAt: store.path("slot"))
                })
            else {
                return []
            }
            guard Capability.missing(of: [.sysAdmin]).isEmpty else { return nil }
            return try InterfaceProgram.programs(on: store.index, using: slot.info.id)
        }
        guard let found else {
            throw FilterError(
                interface,
                notPermittedTo: "see which XDP programs are on it, of which one may be its filter's",
                missing: Capability.missing(of: [.sysAdmin]))
        }
        return found
    }

    /// What is no program or no such map was not pinned by Apus.
    private static func unlessStrange<Pin>(_ body: () throws(BPFError) -> Pin?) throws(BPFError) -> Pin? {
        do throws(BPFError) {
            return try body()
        } catch {
            guard error.code == EINVAL else { throw error }
            return nil
        }
    }

    private func put(_ rules: FilterRules, _ mode: Mode) throws(FilterError) {
        let now = monotonicTime
        let numbers = LimitNumbers().replaced(by: rules.limits)
        var generator = SystemRandomNumberGenerator()
        let secret = (0..<8).map { _ in generator.next() as UInt64 }
        func program(_ caller: TailCaller) throws(FilterError) -> RulesProgram {
            try about(interface) { () throws(BPFError) in
                try RulesProgram(rules, numbers: numbers.inForce, secret: secret, caller: caller, now: now)
            }
        }
        // First what is most likely to be refused. How it is to be loaded is only known when the entry is attached.
        let expected = TailCaller.alone(takesFragments: true)
        var rulesProgram = try program(expected)
        let slot = try about(interface) { () throws(BPFError) in
            try store.make()
            let slot = try BPFMap<UInt32, UInt32>(creating: .programs, name: "apus_rules", maxEntries: 1)
            try slot.pin(to: store.path("slot"))
            return slot
        }
        let (entry, remarks) = try attach(slot, mode)
        do throws(FilterError) {
            try pin(entry)
            if entry.caller != expected { rulesProgram = try program(entry.caller) }
            let seconds = time(nil)
            var state = FilterState(
                version: ApusVersion.number, interface: interface, mode: entry.grant.mode,
                caller: entry.caller,
                takesFragments: entry.grant.takesFragments,
                remarks: remarks + Self.remarks(of: entry.grant.mode), loaded: seconds, changed: seconds,
                secret: secret, numbers: numbers, rules: FilterRules(), until: [:])
            state.set(rules, numbers: numbers, now: now)
            state.set(rulesProgram)
            try about(interface) { () throws(BPFError) in
                try InForce.pin(rulesProgram, state, generation: 1, in: store)
                // Last: with it all is complete.
                try slot.update(0, program: rulesProgram.program)
            }
        } catch {
            // This process has the program, and would not find it again without CAP_SYS_ADMIN where it is not pinned.
            try? entry.detach()
            throw error
        }
    }

    /// Pins the entry program as soon as it is attached: by that pin it is found when this process is killed.
    private func pin(_ entry: InterfaceProgram) throws(FilterError) {
        let program: BPFProgram
        do throws(XDPError) { program = try entry.program() } catch {
            throw FilterError(interface, .interface(error))
        }
        try about(interface) { () throws(BPFError) in try program.pin(to: store.path("entry")) }
    }

    /// What is to be known of a mode.
    private static func remarks(of mode: XDPMode) -> [String] {
        guard mode == .generic else { return [] }
        return [
            "packets that the kernel has merged (GRO) count as one, with all their octets, so limits in bits hold better "
                + "than limits in packets"
        ]
    }

    /// Attaches the entry program, which jumps by the slot; while that is empty, all packets pass.
    private func attach(
        _ slot: BPFMap<UInt32, UInt32>, _ mode: Mode
    ) throws(FilterError) -> (InterfaceProgram, remarks: [String]) {
        func prepare(_ object: BPFObject) throws(BPFError) { try object.use(slot, as: "apus_rules") }
        do throws(XDPError) {
            if mode == .auto {
                return try InterfaceProgram.attachInBestMode(
                    FilterEntryProgram.object, program: Self.entryName, to: interface,
                    needing: Capability.toFilter, prepare: prepare)
            }
            let entry = try InterfaceProgram(
                attaching: FilterEntryProgram.object, program: Self.entryName, to: interface,
                mode: mode == .native ? .native : .generic, needing: Capability.toFilter, prepare: prepare)
            return (entry, entry.grant.remarks)
        } catch {
            throw FilterError(interface, .interface(error))
        }
    }
}
