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
    /// kernel shows others' programs to nobody else; nothing is found without it, nor where the kernel can't be asked. ``clean()`` needs CAP_NET_ADMIN
    /// beside it.
    public static func all() -> [Leftover] {
        interfaceNames().flatMap { name in
            (try? all(on: name)) ?? []
        }
    }

    /// What dead Apus processes left on one interface; see ``all()``.
    public static func all(on interface: String) throws(XDPError) -> [Leftover] {
        try all(on: interface, index: interfaceIndex(interface))
    }

    static func all(on interface: String, index: Int32) throws(XDPError) -> [Leftover] {
        try about(interface) { () throws(BPFError) in try AttachedProgram.all(on: index) }.compactMap {
            program in
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
        // Where its pins are out of sight, an empty dispatcher, or one with nothing but leftovers in it, goes as a whole.
        _ = try InterfaceProgram.takeOff(program, from: (interface, index, mode)) {
            $0.owner.map { !$0.isAlive } == true
        }
    }

    /// Refuses an interface that a living Apus process holds.
    static func refuseLiving(on interface: String, index: Int32) throws(XDPError) {
        let programs = try about(interface) { () throws(BPFError) in try AttachedProgram.all(on: index) }
        for program in programs {
            if let owner = program.owner, owner.isAlive { throw XDPError(interface, .held(pid: owner.pid)) }
        }
    }

    /// Removes what dead processes left on an interface before a program is attached to it.
    static func removeDead(on interface: String, index: Int32) throws(XDPError) -> [String] {
        var remarks: [String] = []
        for leftover in try all(on: interface, index: index) {
            try leftover.clean()
            remarks.append("removed a leftover: \(leftover)")
        }
        return remarks
    }
}
