import ApusHost
import CXDP
import Glibc
import Synchronization

extension SteeringProgram {
    static func open(_ interface: String, _ mode: XDPMode, fragments: Bool) throws(XDPError) -> Loaded {
        var own = Loaded()
        own.takesFragments = fragments
        let opened = LibXDP.call {
            unsafe own.object = SteerProgram.object.withUnsafeBytes { bytes in
                unsafe apus_xdp_open(bytes.baseAddress, bytes.count, name)
            }
            guard let object = unsafe own.object else { return -errno }
            var owner = SteeringOwner.current()
            if mode == .generic, HostFacts.KernelVersion.running.isAtLeast(5, 12) {
                owner.flags |= UInt32(APUS_STEER_FLAG_MTU)
            }
            guard let data = unsafe bpf_object__find_map_by_name(object, ".rodata") else { return -EINVAL }
            let set = unsafe bpf_map__set_initial_value(data, &owner, MemoryLayout<apus_steer_owner>.size)
            guard set == 0 else { return set }
            var options = unsafe xdp_program_opts()
            unsafe options.sz = MemoryLayout<xdp_program_opts>.size
            unsafe options.obj = object
            let program = unsafe xdp_program__create(&options)
            let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(program)))
            guard code == 0 else { return code }
            unsafe own.program = program
            return unsafe xdp_program__set_xdp_frags_support(program, fragments)
        }
        guard opened.code == 0 else {
            close(own)
            throw XDPError(
                interface, .failed("opening the steering program", code: opened.code, detail: opened.detail))
        }
        return own
    }

    static func close(_ own: Loaded) {
        _ = LibXDP.call {
            unsafe xdp_program__close(own.program)
            unsafe bpf_object__close(own.object)
            return 0
        }
    }

    /// Opens and attaches it; kernels before Linux 5.18 don't load it with support for fragments.
    static func attach(
        _ interface: String, _ index: Int32, _ mode: XDPMode, throughDispatcher: Bool
    ) throws(XDPError) -> Loaded {
        var failure: LibXDP.Outcome?
        for fragments in [true, false] {
            var own = try open(interface, mode, fragments: fragments)
            let attached = LibXDP.call {
                throughDispatcher
                    ? unsafe xdp_program__attach(own.program, index, mode.libxdp, 0)
                    : attachAlone(&own, index, mode)
            }
            own.log = attached.log
            if attached.code == 0 { return own }
            close(own)
            if failure == nil { failure = attached }
            if attached.code != EINVAL { break }
        }
        throw explain(failure!, interface, index, mode)
    }

    private static func explain(
        _ attached: LibXDP.Outcome, _ interface: String, _ index: Int32, _ mode: XDPMode
    ) -> XDPError {
        let present = AttachedProgram.all(on: index)
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
                    .occupied(program: alone.name)
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
        return XDPError(interface, cause)
    }

    /// Without a BPF file system libxdp would find that dispatchers don't work, and remember that for the
    /// life of the process, so it isn't asked.
    private static func attachAlone(_ own: inout Loaded, _ index: Int32, _ mode: XDPMode) -> Int32 {
        let loaded = unsafe bpf_object__load(own.object)
        guard loaded == 0 else { return loaded }
        let descriptor = unsafe bpf_program__fd(bpf_object__next_program(own.object, nil))
        let program = unsafe xdp_program__from_fd(descriptor)
        let code = unsafe Int32(libxdp_get_error(UnsafeRawPointer(program)))
        guard code == 0 else { return code }
        unsafe xdp_program__close(own.program)
        unsafe own.program = program
        return bpf_xdp_attach(index, descriptor, mode.attachFlag | LibXDP.onlyIfNoneIsThere, nil)
    }

    /// Notes which program it is, and by whom it is called.
    static func identify(_ own: inout Loaded, on index: Int32, _ mode: XDPMode) {
        unsafe own.descriptor = xdp_program__fd(own.program)
        if own.descriptor < 0 {
            unsafe own.descriptor = bpf_program__fd(bpf_object__next_program(own.object, nil))
        }
        own.id = programID(own.descriptor) ?? 0
        let attached = AttachedProgram.attached(to: index)
        if !attached.contains(where: { $0.id == own.id }) {
            own.dispatcher = attached.first { $0.mode == mode }?.id ?? 0
        }
    }

    /// Takes a program off an interface that is attached to it by itself; no other one than that.
    static func detach(_ program: Int32, from index: Int32, _ mode: XDPMode) -> Int32 {
        var options = bpf_xdp_attach_opts()
        // Up to the last field: libbpf refuses padding that is not zero, and Swift does not write it.
        options.sz = MemoryLayout<bpf_xdp_attach_opts>.offset(of: \.old_prog_fd)! + 4
        options.old_prog_fd = program
        return unsafe bpf_xdp_detach(index, mode.attachFlag, &options)
    }

    static func map(_ name: String, in own: Loaded, _ interface: String) throws(XDPError) -> Int32 {
        let map = unsafe bpf_object__find_map_fd_by_name(own.object, name)
        guard map >= 0 else {
            throw XDPError(interface, .failed("finding the map \(name)", code: -map, detail: ""))
        }
        return map
    }

    static func readGrant(
        _ own: Loaded, _ index: Int32, _ mode: XDPMode, _ hasBPFFileSystem: Bool, _ remarks: inout [String]
    ) -> SteeringGrant {
        let id = own.id
        let present = AttachedProgram.all(on: index)
        let usesDispatcher = own.dispatcher != 0
        var takesFragments = own.takesFragments
        if usesDispatcher {
            _ = LibXDP.call {
                let all = unsafe xdp_multiprog__get_from_ifindex(index)
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
                            + "(mount -t bpf bpf \(LibXDP.bpfFileSystem))"))
        }
        if !takesFragments {
            remarks.append(
                "frames of several buffers are not taken: "
                    + (others.isEmpty
                        ? "the kernel is older than Linux 5.18"
                        : "not all XDP programs on the interface (\(others.joined(separator: ", "))) take them")
            )
        }
        return SteeringGrant(
            mode: mode, usesDispatcher: usesDispatcher, takesFragments: takesFragments, others: others,
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

    /// Of two processes that attached at the same moment, the older one stays.
    func yieldToOlder() throws(XDPError) {
        let id = loaded.withLock { $0.id }
        let all = AttachedProgram.all(on: index)
        guard let mine = all.first(where: { $0.id == id })?.owner else { return }
        for other in all where other.id != id {
            guard let owner = other.owner, owner.isAlive,
                (owner.owner.attached_at, other.id) < (mine.owner.attached_at, id)
            else { continue }
            try detach()
            throw XDPError(interface, .held(pid: owner.pid))
        }
    }
}
