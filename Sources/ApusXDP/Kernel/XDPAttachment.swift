/// An XDP program that is on an interface now, whoever loaded it.
public struct XDPAttachment: Sendable, Hashable {
    /// The kernel's number of the program.
    public let id: UInt32
    /// Its name, of 15 bytes at most; an empty dispatcher counts as a program itself.
    public let name: String
    /// Native or generic.
    public let mode: XDPMode
    /// Whether libxdp's dispatcher calls it, or it is one, so that others can be beside it.
    public let usesDispatcher: Bool
    /// The process that loaded it, when it is a steering program of Apus.
    public let pid: Int32?
    /// Whether it was left over: that process is gone, or nothing is in the dispatcher.
    public let isLeftover: Bool

    /// The programs on an interface, in no order. Asking changes nothing.
    ///
    /// Needs CAP_SYS_ADMIN, since the kernel shows others' programs to nobody else; without it there are none.
    public static func all(on interface: String) throws(XDPError) -> [XDPAttachment] {
        let index = try interfaceIndex(interface)
        return try about(interface) { () throws(BPFError) in try AttachedProgram.all(on: index) }.map {
            program in
            let isDispatcher = program.name == AttachedProgram.dispatcherName
            return XDPAttachment(
                id: program.id, name: program.name, mode: program.mode,
                usesDispatcher: isDispatcher || program.dispatcher != nil, pid: program.owner?.pid,
                isLeftover: program.owner.map { !$0.isAlive } ?? isDispatcher)
        }
    }
}
