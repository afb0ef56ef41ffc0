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
        let filter = RateLimitFilter(interface, FilterStore(index: index))
        return try locked(interface) { () throws(FilterError) in
            guard try filter.inForce() == nil else { throw FilterError(interface, .alreadyLoaded) }
            try filter.clean()
            do throws(FilterError) {
                try filter.put(rules, mode)
            } catch {
                try? filter.clean()
                throw error
            }
            return filter
        }
    }

    /// Takes the filter off its interface and removes all that belongs to it; other programs stay.
    public func unload() throws(FilterError) {
        try Self.locked(interface) { () throws(FilterError) in
            guard store.exists else { throw FilterError(interface, .notLoaded) }
            try clean()
        }
    }

    /// Takes the filter off an interface, complete or not, and whichever version of Apus has loaded it; other programs
    /// stay.
    public static func unload(from interface: String) throws(FilterError) {
        try RateLimitFilter(interface, FilterStore(index: index(of: interface))).unload()
    }

    /// Takes the filters off all interfaces of this network namespace, as ``unload(from:)`` does, with what belongs to
    /// interfaces that are gone.
    ///
    /// - Returns: the interfaces.
    public static func unloadAll() throws(FilterError) -> [String] {
        guard BPFFileSystem.isMounted, !FilterStore.all.isEmpty else { return [] }
        return try locked("filters") { () throws(FilterError) in
            var names: [String] = []
            for store in FilterStore.all {
                let filter = RateLimitFilter(interfaceName(store.index) ?? "interface \(store.index)", store)
                try filter.clean()
                names.append(filter.interface)
            }
            return names.sorted()
        }
    }

    /// Removes what commands that were killed have left, and what belongs to interfaces that are gone; filters that are in
    /// force stay.
    ///
    /// - Returns: the interfaces whose leftovers are removed.
    @discardableResult
    public static func cleanUp() throws(FilterError) -> [String] {
        guard BPFFileSystem.isMounted, !FilterStore.all.isEmpty else { return [] }
        return try locked("filters") { () throws(FilterError) in
            var cleaned: [String] = []
            for store in FilterStore.all {
                let filter = RateLimitFilter(interfaceName(store.index) ?? "interface \(store.index)", store)
                // What another version has put in force is in force.
                do throws(FilterError) {
                    guard try filter.inForce() == nil else { continue }
                } catch {
                    continue
                }
                try filter.clean()
                cleaned.append(filter.interface)
            }
            return cleaned
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
    private func clean() throws(FilterError) {
        guard store.exists else { return }
        if interfaceName(store.index) != nil {
            for program in programsOfOurs() {
                for mode in [XDPMode.native, .generic] {
                    do throws(XDPError) {
                        if try InterfaceProgram.takeOff(
                            program, from: interface, index: store.index, mode: mode)
                        {
                            break
                        }
                    } catch {
                        guard mode == .generic else { continue }
                        throw FilterError(interface, .interface(error))
                    }
                }
            }
        }
        try about(interface) { () throws(BPFError) in try store.remove() }
    }

    /// The entry program: by its pin, or where a command was killed before that, by the slot it jumps by.
    private func programsOfOurs() -> [BPFProgram] {
        if let entry = try? BPFProgram(opening: store.path("entry")) {
            return InterfaceProgram.isAttached(entry.id, to: store.index) == false ? [] : [entry]
        }
        guard let slot = try? BPFMap<UInt32, UInt32>(opening: store.path("slot")) else { return [] }
        return InterfaceProgram.programs(on: store.index, using: slot.info.id)
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
        let (entry, own, remarks) = try attach(slot, mode)
        if entry.caller != expected { rulesProgram = try program(entry.caller) }
        let seconds = time(nil)
        var state = FilterState(
            version: ApusVersion.number, interface: interface, mode: entry.grant.mode, caller: entry.caller,
            takesFragments: entry.grant.takesFragments, remarks: remarks + Self.remarks(of: entry.grant.mode),
            loaded: seconds, changed: seconds,
            secret: secret, numbers: numbers, rules: FilterRules(), until: [:])
        state.set(rules, numbers: numbers, now: now)
        try about(interface) { () throws(BPFError) in
            try InForce.pin(rulesProgram, state, generation: 1, in: store)
            try slot.update(0, program: rulesProgram.program)
            // Last: with it all is complete.
            try own.pin(to: store.path("entry"))
        }
    }

    /// Attaches the entry program, which jumps by the slot; while that is empty, all packets pass.
    private func attach(
        _ slot: BPFMap<UInt32, UInt32>, _ mode: Mode
    ) throws(FilterError) -> (InterfaceProgram, own: BPFProgram, remarks: [String]) {
        func prepare(_ object: BPFObject) throws(BPFError) { try object.use(slot, as: "apus_rules") }
        do throws(XDPError) {
            if mode == .auto {
                let (entry, remarks) = try InterfaceProgram.attachInBestMode(
                    FilterEntryProgram.object, program: "apus_filter", to: interface,
                    needing: Capability.toFilter, prepare: prepare)
                return (entry, try entry.program(), remarks)
            }
            let entry = try InterfaceProgram(
                attaching: FilterEntryProgram.object, program: "apus_filter", to: interface,
                mode: mode == .native ? .native : .generic, needing: Capability.toFilter, prepare: prepare)
            return (entry, try entry.program(), entry.grant.remarks)
        } catch {
            throw FilterError(interface, .interface(error))
        }
    }
}
    /// What is to be known of a mode.
    private static func remarks(of mode: XDPMode) -> [String] {
        guard mode == .generic else { return [] }
        return [
            "packets that the kernel has merged (GRO) count as one, with all their octets, so limits in bits hold better "
                + "than limits in packets"
        ]
    }

