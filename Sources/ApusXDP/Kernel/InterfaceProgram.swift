package import ApusHost
import CXDP
import Glibc
import Synchronization

/// An XDP program that this process has put on an interface: through libxdp's dispatcher, beside others, or alone where
/// the kernel has no dispatcher.
///
/// It stays on the interface when this object goes, and when the process does: libxdp's pins hold a program in a
/// dispatcher, and the interface one that is alone. ``detach()`` takes it off, and so does
/// ``takeOff(_:from:index:)`` in any later process.
///
/// Control plane: all members may be called from any thread, and cost system calls.
package final class InterfaceProgram: Sendable {
    /// The interface's name when it was attached.
    package let interface: String
    /// The interface's index.
    package let index: Int32
    /// How it sits on the interface.
    package let grant: XDPProgramGrant
    /// The kernel's number of the program. libxdp does not know the number of each without CAP_SYS_ADMIN.
    package let id: UInt32
    /// What it is to the programs that it calls by a PROG_ARRAY.
    package let caller: TailCaller
    /// The dispatcher that called it when it was attached; 0 when there was none.
    let dispatcher: UInt32

    // The pointers are only used under the lock.
    @safe struct Loaded: @unchecked Sendable {
        var object: BPFObject?
        var program: OpaquePointer?
        var takesFragments = false
        var descriptor: Int32 = -1
        /// What libxdp said while it attached the program.
        var log = ""
    }
    private let loaded: Mutex<Loaded>

    /// Loads a program and attaches it. What dead Apus processes left on the interface is removed first.
    ///
    /// - Parameters:
    ///   - code: the object that has the program; its name in messages is the program's.
    ///   - name: the program in it, by its whole name in C.
    ///   - interface: its name, in the network namespace of the calling thread.
    ///   - mode: native or generic; there is no fallback from one to the other here.
    ///   - capabilities: what it takes to load and attach it.
    ///   - prepare: sets constants and maps before the object is loaded. Called again for a second attempt.
    package init(
        attaching code: [UInt8], program name: String, to interface: String, mode: XDPMode,
        needing capabilities: [Capability] = Capability.toAttach,
        prepare: (BPFObject) throws(BPFError) -> Void = { _ in }
    ) throws(XDPError) {
        self.interface = interface
        index = try interfaceIndex(interface)
        let missing = Capability.missing(of: capabilities)
        guard missing.isEmpty else {
            throw XDPError(interface, .notPermitted(missing: missing, doing: "attach an XDP program"))
        }
        let hasBPFFileSystem = LibXDP.prepareBPFFileSystem()
        var remarks = try Leftover.removeDead(on: interface, index: index)

        let place = Place(interface: interface, index: index, mode: mode)
        let own = try Self.attach(code, name, place, throughDispatcher: hasBPFFileSystem, prepare)
        let attached: [(id: UInt32, mode: XDPMode)]
        do throws(BPFError) {
            id = try programID(own.descriptor)
            attached = try AttachedProgram.attached(to: index)
        } catch {
            // Without a program's number, and that of its dispatcher, nobody could tell later whether it is there.
            Self.takeOff(own, place)
            throw XDPError(interface, error)
        }
        dispatcher =
            attached.contains { [id] in $0.id == id } ? 0 : attached.first { $0.mode == mode }?.id ?? 0
        caller = dispatcher == 0 ? .alone(takesFragments: own.takesFragments) : .dispatched
        grant = Self.readGrant(own, id, dispatcher, place, hasBPFFileSystem, &remarks)
        loaded = Mutex(own)
    }

    /// The same in the best mode that can be had: native, and generic where the driver has none, with a remark in the
    /// grant that says why.
    package static func attachInBestMode(
        _ code: [UInt8], program name: String, to interface: String,
        needing capabilities: [Capability] = Capability.toAttach,
        prepare: (BPFObject) throws(BPFError) -> Void = { _ in }
    ) throws(XDPError) -> (InterfaceProgram, remarks: [String]) {
        let native: XDPError
        do throws(XDPError) {
            let program = try InterfaceProgram(
                attaching: code, program: name, to: interface, mode: .native, needing: capabilities,
                prepare: prepare)
            return (program, program.grant.remarks)
        } catch {
            guard error.mayWorkInAnotherMode else { throw error }
            native = error
        }
        do throws(XDPError) {
            let program = try InterfaceProgram(
                attaching: code, program: name, to: interface, mode: .generic, needing: capabilities,
                prepare: prepare)
            return (program, ["not in native mode: \(native.explanation)"] + program.grant.remarks)
        } catch {
            throw XDPError(
                interface,
                .lesserGrant(required: "XDP", reasons: [native, error].map(\.explanation)))
        }
    }

    deinit { close() }

    /// Lets go of the program and its maps. It stays on the interface.
    package func close() {
        loaded.withLock { own in
            Self.close(own)
            own = Loaded()
        }
    }

    /// Takes the program off the interface. Other programs stay. Nothing happens if it is off already, or if the
    /// interface is gone, or after ``close()``.
    package func detach() throws(XDPError) {
        guard let failure = takeOff() else { return }
        throw XDPError(
            interface,
            .failed("taking off the XDP program", code: failure.code, detail: failure.detail))
    }

    /// Whether the program still sits on the interface: another process may have taken it off. Where that can't be asked
    /// it is taken to sit there.
    package var isAttached: Bool { loaded.withLock { isAttached($0) } }

    func isAttached(_ own: Loaded) -> Bool {
        guard unsafe own.program != nil else { return false }
        do throws(BPFError) {
            // A dispatcher that a program joins or leaves is replaced.
            if try Self.isAttached(id, to: index) == true { return true }
            return try AttachedProgram.attached(to: index).contains { $0.id == dispatcher }
        } catch {
            // What can't be asked has not been taken off.
            return true
        }
    }

    /// The program, for as long as this is not closed.
    package func program() throws(XDPError) -> BPFProgram {
        try withOpen { own throws(BPFError) in try BPFProgram(duplicating: own.descriptor) }
    }

    /// One of its maps, for as long as this is not closed.
    package func map<Key, Value>(
        _ name: String, _: Key.Type = Key.self, _: Value.Type = Value.self
    ) throws(XDPError) -> BPFMap<Key, Value> {
        try withOpen { own throws(BPFError) in try own.object!.map(name) }
    }

    /// The program's own descriptor of one of its maps, which ends with this object.
    func descriptor(ofMap name: String) throws(XDPError) -> Int32 {
        try withOpen { own throws(BPFError) in try own.object!.descriptor(ofMap: name) }
    }

    /// Whether it is neither closed nor detached.
    var isOpen: Bool { loaded.withLock { unsafe $0.program != nil } }

    /// Runs `body` on what is loaded, which nobody closes meanwhile: its descriptors may be those of others then.
    private func withOpen<Result: Sendable>(
        _ body: (Loaded) throws(BPFError) -> Result
    ) throws(XDPError) -> Result {
        let result = try about(interface) { () throws(BPFError) -> Result? in
            try loaded.withLock { (own) throws(BPFError) -> Result? in
                unsafe own.program == nil ? nil : try body(own)
            }
        }
        guard let result else { throw XDPError(interface, .closed) }
        return result
    }

    /// Takes it off; what libxdp said where it stays.
    func takeOff() -> LibXDP.Outcome? {
        loaded.withLock { own in
            guard let program = unsafe own.program else { return nil }
            defer {
                Self.close(own)
                own = Loaded()
            }
            // Without a dispatcher it is one system call; libxdp loses a descriptor over it (1.3.1).
            if dispatcher == 0,
                LibXDP.call({ Self.detach(own.descriptor, from: index, grant.mode) }).code == 0
            {
                return nil
            }
            let outcome = LibXDP.call {
                unsafe xdp_program__detach(program, index, grant.mode.libxdp, 0)
            }
            if outcome.code == 0 { return nil }
            do throws(BPFError) {
                if try interfaceName(index) == nil {
                    Self.removePins(of: id)
                    return nil
                }
            } catch {
                return outcome
            }
            // libxdp opens programs by their numbers, for which the kernel wants CAP_SYS_ADMIN.
            let alone = LibXDP.call { Self.detach(own.descriptor, from: index, grant.mode) }
            return alone.code == 0 || !isAttached(own) ? nil : outcome
        }
    }

    /// Takes off what was attached a moment ago, when the attaching comes to nothing after all.
    private static func takeOff(_ own: Loaded, _ place: Place) {
        guard let program = unsafe own.program else { return }
        _ = LibXDP.call {
            let code = unsafe xdp_program__detach(program, place.index, place.mode.libxdp, 0)
            return code == 0 ? 0 : detach(own.descriptor, from: place.index, place.mode)
        }
        close(own)
    }
}
