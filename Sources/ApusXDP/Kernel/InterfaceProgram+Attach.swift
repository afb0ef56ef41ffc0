internal import ApusHost
import CXDP
import Glibc
import Synchronization

// How a program gets onto an interface, and what it is granted there.
extension InterfaceProgram {
    /// Where a program goes.
    struct Place {
        let interface: String
        let index: Int32
        let mode: XDPMode
    }

    private static func open(
        _ code: [UInt8], _ name: String, _ interface: String, fragments: Bool,
        _ prepare: (BPFObject) throws(BPFError) -> Void
    ) throws(XDPError) -> Loaded {
        var own = Loaded()
        own.takesFragments = fragments
        do throws(BPFError) {
            let object = try BPFObject(code, name: name)
            own.object = object
            try prepare(object)
            let opened = LibXDP.call {
                // Sound: libxdp reads the name before this returns.
                let program = unsafe name.withCString { name in
                    var options = unsafe xdp_program_opts()
                    unsafe options.sz = MemoryLayout<xdp_program_opts>.size
                    unsafe options.obj = object.pointer
                    unsafe options.prog_name = name
                    return unsafe xdp_program__create(&options)
                }
                let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(program)))
                guard code == 0 else { return code }
                unsafe own.program = program
                return unsafe xdp_program__set_xdp_frags_support(program, fragments)
            }
            guard opened.code == 0 else {
                throw BPFError("opening the program \(name)", code: opened.code, detail: opened.detail)
            }
        } catch {
            close(own)
            throw XDPError(interface, error)
        }
        return own
    }

    /// Frees what is loaded; what is on an interface stays there.
    static func close(_ own: Loaded) {
        guard let program = unsafe own.program else { return }
        _ = LibXDP.call {
            unsafe xdp_program__close(program)
            return 0
        }
    }

    /// Opens and attaches it; kernels before Linux 5.18 don't load it with support for fragments.
    static func attach(
        _ code: [UInt8], _ name: String, _ place: Place, throughDispatcher: Bool,
        _ prepare: (BPFObject) throws(BPFError) -> Void
    ) throws(XDPError) -> Loaded {
        var failure: LibXDP.Outcome?
        for fragments in [true, false] {
            var own = try open(code, name, place.interface, fragments: fragments, prepare)
            let attached = LibXDP.call {
                throughDispatcher
                    ? unsafe xdp_program__attach(own.program, place.index, place.mode.libxdp, 0)
                    : attachAlone(&own, name, place)
            }
            own.log = attached.log
            if attached.code == 0 {
                _ = LibXDP.call {
                    unsafe own.descriptor = xdp_program__fd(own.program)
                    if own.descriptor < 0, let object = own.object {
                        unsafe own.descriptor = bpf_program__fd(
                            bpf_object__find_program_by_name(object.pointer, name))
                    }
                    return 0
                }
                return own
            }
            close(own)
            if failure == nil { failure = attached }
            if attached.code != EINVAL { break }
        }
        throw explain(failure!, place)
    }

    private static func explain(
        _ attached: LibXDP.Outcome, _ place: Place
    ) -> XDPError {
        let (index, mode) = (place.index, place.mode)
        // What can't be asked is not named.
        let present = (try? AttachedProgram.all(on: index)) ?? []
        let detail = attached.detail
        let cause: XDPError.Cause =
            switch attached.code {
            case EPERM, EACCES:
                .notPermitted(
                    missing: ["CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON in the initial user namespace"],
                    doing: "attach an XDP program")
            case _ where present.contains { $0.mode != mode }:
                .otherModeActive(requested: mode)
            case EBUSY, EEXIST:
                if present.isEmpty, !Capability.missing(of: [.sysAdmin]).isEmpty {
                    .hiddenProgram
                } else if let alone = present.first(where: {
                    $0.dispatcher == nil && $0.name != AttachedProgram.dispatcherName
                }) {
                    if let owner = alone.owner, owner.isAlive {
                        .held(pid: owner.pid)
                    } else {
                        .occupied(program: alone.name)
                    }
                } else {
                    .foreignDispatcher
                }
            case EOPNOTSUPP:
                .modeNotSupported(mode, detail: detail)
            case _ where detail.contains("MTU") || [ERANGE, EMSGSIZE].contains(attached.code):
                .mtuTooLarge(mtu: Int(apus_xdp_mtu(index)), mode: mode, detail: detail)
            default:
                .failed("attaching an XDP program in \(mode) mode", code: attached.code, detail: detail)
            }
        return XDPError(place.interface, cause)
    }

    /// Without a BPF file system libxdp would find that dispatchers don't work, and remember that for the
    /// life of the process, so it isn't asked.
    private static func attachAlone(_ own: inout Loaded, _ name: String, _ place: Place) -> Int32 {
        guard let object = own.object else { return -EINVAL }
        let loaded = unsafe bpf_object__load(object.pointer)
        guard loaded == 0 else { return loaded }
        let descriptor = unsafe bpf_program__fd(bpf_object__find_program_by_name(object.pointer, name))
        let program = unsafe xdp_program__from_fd(descriptor)
        let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(program)))
        guard code == 0 else { return code }
        unsafe xdp_program__close(own.program)
        unsafe own.program = program
        return bpf_xdp_attach(
            place.index, descriptor, place.mode.attachFlag | LibXDP.onlyIfNoneIsThere, nil)
    }

    static func readGrant(
        _ own: Loaded, _ id: UInt32, _ dispatcher: UInt32, _ place: Place, _ hasBPFFileSystem: Bool,
        _ remarks: inout [String]
    ) -> XDPProgramGrant {
        // For words alone.
        let present = (try? AttachedProgram.all(on: place.index)) ?? []
        let usesDispatcher = dispatcher != 0
        var takesFragments = own.takesFragments
        if usesDispatcher {
            _ = LibXDP.call {
                let all = unsafe xdp_multiprog__get_from_ifindex(place.index)
                takesFragments = unsafe libxdp_get_error(UnsafeRawPointer(all)) == 0
                guard takesFragments else { return 0 }
                takesFragments = unsafe xdp_multiprog__xdp_frags_support(all)
                unsafe xdp_multiprog__close(all)
                return 0
            }
        }
        let others = present.filter { $0.id != id }.map(\.name)
        if !usesDispatcher {
            remarks.append(
                "attached without libxdp's dispatcher, so no other XDP program can join: "
                    + (hasBPFFileSystem
                        ? "libxdp found that this kernel can't replace BPF functions\(cause(in: own.log))"
                        : "no BPF file system at \(LibXDP.bpfFileSystem) "
                            + "(\(BPFFileSystem.mountCommand()))"))
        }
        if !takesFragments {
            remarks.append(
                "frames of several buffers are not taken: "
                    + (others.isEmpty
                        ? "the kernel is older than Linux 5.18"
                        : "not all XDP programs on the interface (\(others.joined(separator: ", "))) take them")
            )
        }
        return XDPProgramGrant(
            mode: place.mode, usesDispatcher: usesDispatcher, takesFragments: takesFragments, others: others,
            remarks: remarks)
    }

    /// The reason libxdp gave for doing without its dispatcher, in parentheses. It says so once a process.
    private static func cause(in log: String) -> String {
        let line = log.split(whereSeparator: \.isNewline).last { $0.contains("Compatibility check") }
        return dispatcherRefusal.withLock { known in
            if let reason = line?.split(separator: ": ").last { known = " (\(reason))" }
            return known
        }
    }

    private static let dispatcherRefusal = Mutex("")
}
