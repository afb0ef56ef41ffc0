import CXDP
import Glibc

/// A steering program whose process is gone, or the empty dispatcher of one. Traffic is not disturbed by it,
/// but it costs time on every frame.
public struct Leftover: Sendable, Hashable, CustomStringConvertible {
    /// The interface it sits on.
    public let interface: String
    /// The process that loaded it; nil for an empty dispatcher, which names nobody.
    public let pid: Int32?
    /// Native or generic.
    public let mode: XDPMode

    let index: Int32
    let program: UInt32
    let dispatcher: UInt32?

    /// One line for people.
    public var description: String {
        guard let pid else { return "\(interface): an empty XDP dispatcher (\(mode))" }
        return "\(interface): the steering program of apus pid \(pid), which is gone (\(mode))"
    }

    /// What dead Apus processes left on the interfaces of this network namespace. Needs CAP_SYS_ADMIN, since the
    /// kernel shows others' programs to nobody else; nothing is found without it. ``clean()`` needs CAP_NET_ADMIN
    /// beside it.
    public static func all() -> [Leftover] {
        interfaceNames().flatMap { name in
            (try? interfaceIndex(name)).map { all(on: name, index: $0) } ?? []
        }
    }

    /// What dead Apus processes left on one interface; see ``all()``.
    public static func all(on interface: String) throws(XDPError) -> [Leftover] {
        all(on: interface, index: try interfaceIndex(interface))
    }

    static func all(on interface: String, index: Int32) -> [Leftover] {
        AttachedProgram.all(on: index).compactMap { program in
            let isEmptyDispatcher =
                program.dispatcher == nil && program.name == AttachedProgram.dispatcherName
            guard isEmptyDispatcher || program.owner.map({ !$0.isAlive }) == true else { return nil }
            return Leftover(
                interface: interface, pid: program.owner?.pid, mode: program.mode, index: index,
                program: program.id, dispatcher: program.dispatcher)
        }
    }

    /// Takes it off the interface. Other programs stay.
    public func clean() throws(XDPError) {
        _ = LibXDP.prepareBPFFileSystem()
        let outcome = LibXDP.call {
            let own = unsafe xdp_program__from_id(program)
            let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(own)))
            guard code == 0 else { return code }
            defer { unsafe xdp_program__close(own) }
            return unsafe xdp_program__detach(own, index, mode.libxdp, 0)
        }
        guard outcome.code != 0 else { return }
        // The pins are out of sight: libxdp can't take one program out, but an empty dispatcher, or one with
        // nothing but leftovers in it, can go as a whole.
        let all = AttachedProgram.all(on: index)
        guard let mine = all.first(where: { $0.id == program }) else { return }
        guard let dispatcher = mine.dispatcher ?? (pid == nil ? program : nil),
            all.allSatisfy({ $0.id == program || $0.owner.map { !$0.isAlive } == true })
        else {
            throw XDPError(
                interface,
                mine.dispatcher == nil
                    ? .failed("detaching a leftover", code: outcome.code, detail: outcome.detail)
                    : .foreignDispatcher)
        }
        let expected = bpf_prog_get_fd_by_id(dispatcher)
        guard expected >= 0 else { return }
        defer { close(expected) }
        let forced = LibXDP.call { SteeringProgram.detach(expected, from: index, mode) }
        guard forced.code == 0 else {
            throw XDPError(
                interface, .failed("detaching a leftover", code: forced.code, detail: forced.detail))
        }
    }

    /// Removes what dead processes left on an interface before a program is attached to it; refuses when a
    /// living one holds it.
    static func removeDead(on interface: String, index: Int32) throws(XDPError) -> [String] {
        for program in AttachedProgram.all(on: index) {
            if let owner = program.owner, owner.isAlive { throw XDPError(interface, .held(pid: owner.pid)) }
        }
        var remarks: [String] = []
        for leftover in all(on: interface, index: index) {
            try leftover.clean()
            remarks.append("removed a leftover: \(leftover)")
        }
        return remarks
    }

    /// Removes the pins of a program whose interface went away under it, which libxdp then can't do.
    static func removePins(of program: UInt32) {
        let root = LibXDP.bpfFileSystem + "/xdp"
        for folder in entries(of: root) where folder.hasPrefix("dispatch-") {
            let files = entries(of: "\(root)/\(folder)").map { "\(root)/\(folder)/\($0)" }
            guard files.contains(where: { $0.hasSuffix("-prog") && pinnedProgram($0) == program }) else {
                continue
            }
            for file in files { unsafe unlink(file) }
            unsafe rmdir("\(root)/\(folder)")
        }
    }

    private static func pinnedProgram(_ path: String) -> UInt32? {
        let descriptor = unsafe bpf_obj_get(path)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return programID(descriptor)
    }

    private static func entries(of folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe string(of: entry.pointee.d_name)
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
