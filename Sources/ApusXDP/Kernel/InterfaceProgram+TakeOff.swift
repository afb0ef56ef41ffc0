import CXDP
import Glibc

// Programs that an earlier process has put on an interface.
extension InterfaceProgram {
    /// Whether a program is on an interface now, alone or in a dispatcher; nil where the kernel does not tell: what is in
    /// a dispatcher it shows to nobody without CAP_SYS_ADMIN, and one that others replace all the time to nobody.
    package static func isAttached(_ id: UInt32, to index: Int32) throws(BPFError) -> Bool? {
        var attached = try AttachedProgram.attached(to: index).map(\.id)
        for _ in 0..<8 {
            if attached.isEmpty { return false }
            if attached.contains(id) { return true }
            do throws(BPFError) {
                let all = try AttachedProgram.all(on: index, needed: true)
                if all.contains(where: { $0.id == id }) { return true }
            } catch {
                guard error.code == EPERM else { throw error }
                return nil
            }
            // A dispatcher that a program joins is replaced: then the programs looked at were those of none.
            let now = try AttachedProgram.attached(to: index).map(\.id)
            if now == attached { return false }
            attached = now
        }
        return nil
    }

    /// Whether nothing at all is on an interface, which the kernel tells everybody.
    package static func isBare(_ index: Int32) throws(BPFError) -> Bool {
        try AttachedProgram.attached(to: index).isEmpty
    }

    /// The programs on an interface that use a map, which the kernel shows to those with CAP_SYS_ADMIN alone.
    package static func programs(on index: Int32, using map: UInt32) throws(BPFError) -> [BPFProgram] {
        var programs: [BPFProgram] = []
        for program in try AttachedProgram.all(on: index, needed: true) where program.maps.contains(map) {
            programs.append(try BPFProgram(id: program.id))
        }
        return programs
    }

    /// Takes a program off an interface that any process has put there, and nothing else than that; a dispatcher that is
    /// empty then goes with it. Needs CAP_NET_ADMIN, and in a dispatcher CAP_SYS_ADMIN too.
    ///
    /// - Parameters:
    ///   - program: opened from its pin.
    ///   - interface: its name in messages.
    ///   - index: the interface, which may have another name now.
    /// - Returns: whether it was there.
    package static func takeOff(
        _ program: BPFProgram, from interface: String, index: Int32
    ) throws(XDPError) -> Bool {
        try takeOff(program.id, opened: program.descriptor, from: (interface, index, nil)) { _ in false }
    }

    /// Takes a program off, by its number where nobody has a descriptor of it.
    ///
    /// - Parameters:
    ///   - place: nil as its mode is that of what is there.
    ///   - mayGo: whether another program of its dispatcher may go too, where it can't be taken out by itself since its pins
    ///     are out of sight.
    static func takeOff(
        _ id: UInt32, opened: Int32? = nil,
        from place: (interface: String, index: Int32, mode: XDPMode?), along mayGo: (AttachedProgram) -> Bool
    ) throws(XDPError) -> Bool {
        let (interface, index) = (place.interface, place.index)
        let attached = try about(interface) { () throws(BPFError) in try AttachedProgram.attached(to: index) }
        // The kernel never has programs of both modes on an interface. Where none is any more, what libxdp has pinned of this
        // one may have to go.
        let mode = place.mode ?? attached.first?.mode ?? .native
        // Alone it is one system call, which the kernel refuses where another program is there.
        if attached.contains(where: { $0.id == id && $0.mode == mode }),
            remove(id, opened: opened, from: index, mode).code == 0
        {
            return true
        }
        _ = LibXDP.prepareBPFFileSystem()
        let outcome = LibXDP.call {
            let program =
                if let opened { unsafe xdp_program__from_fd(opened) } else { unsafe xdp_program__from_id(id) }
            let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(program)))
            guard code == 0 else { return code }
            defer { unsafe xdp_program__close(program) }
            return unsafe xdp_program__detach(program, index, mode.libxdp, 0)
        }
        if outcome.code == 0 { return true }
        let (isGone, isOff, all) = try about(interface) {
            () throws(BPFError) -> (Bool, Bool, [AttachedProgram]) in
            if try interfaceName(index) == nil { return (true, true, []) }
            return (false, try isAttached(id, to: index) == false, try AttachedProgram.all(on: index))
        }
        if isGone { removePins(of: id) }
        if isOff { return false }
        // The pins are out of sight: libxdp can't take one program out, but a dispatcher can go as a whole.
        guard let own = all.first(where: { $0.id == id }) else {
            throw XDPError(
                interface,
                .failed("taking off the XDP program \(id)", code: outcome.code, detail: outcome.detail))
        }
        guard let dispatcher = own.dispatcher else {
            throw XDPError(
                interface,
                .failed("taking off the XDP program \(own.name)", code: outcome.code, detail: outcome.detail))
        }
        guard all.allSatisfy({ $0.id == id || mayGo($0) }) else {
            throw XDPError(interface, .foreignDispatcher)
        }
        let forced = remove(dispatcher, from: index, mode)
        guard forced.code == 0 else {
            throw XDPError(
                interface,
                .failed("taking off the dispatcher of \(own.name)", code: forced.code, detail: forced.detail))
        }
        removePins(of: id)
        return true
    }

    /// Takes what is attached to an interface by itself off it; no other one than that.
    private static func remove(
        _ id: UInt32, opened: Int32? = nil, from index: Int32, _ mode: XDPMode
    ) -> LibXDP.Outcome {
        let descriptor = opened ?? bpf_prog_get_fd_by_id(id)
        guard descriptor >= 0 else { return LibXDP.Outcome(code: errno, log: "") }
        defer { if opened == nil { Glibc.close(descriptor) } }
        return LibXDP.call { detach(descriptor, from: index, mode) }
    }

    /// Takes a program off an interface that is attached to it by itself; no other one than that.
    static func detach(_ program: Int32, from index: Int32, _ mode: XDPMode) -> Int32 {
        var options = bpf_xdp_attach_opts()
        // Up to the last field: libbpf refuses padding that is not zero, and Swift does not write it.
        options.sz = MemoryLayout<bpf_xdp_attach_opts>.offset(of: \.old_prog_fd)! + 4
        options.old_prog_fd = program
        return unsafe bpf_xdp_detach(index, mode.attachFlag, &options)
    }

    /// Removes libxdp's pins of a program whose interface went away under it, which libxdp then can't do.
    static func removePins(of program: UInt32) {
        let root = BPFFileSystem.root + "/xdp"
        // What can't be read or removed disturbs nobody.
        for folder in (try? BPFFileSystem.entries(of: root)) ?? [] where folder.hasPrefix("dispatch-") {
            let entries = (try? BPFFileSystem.entries(of: "\(root)/\(folder)")) ?? []
            let pins = entries.filter { $0.hasSuffix("-prog") }
            guard
                pins.contains(where: { (try? BPFProgram(opening: "\(root)/\(folder)/\($0)"))?.id == program })
            else { continue }
            try? BPFFileSystem.removeFolder("\(root)/\(folder)")
        }
    }
}
