import ApusXDP
import CXDP
import Glibc
import NetworkLab

/// An XDP program of a test, attached alone to an interface of the calling thread's namespace.
@safe
final class TestProgram {
    private let object: OpaquePointer
    /// The descriptor of its XSKMAP.
    let sockets: CInt

    init(_ code: [UInt8], on interface: String, _ mode: XDPMode, octets: UInt32? = nil) throws {
        apus_xdp_log_begin()
        defer { _ = unsafe apus_xdp_log_end() }
        let opened = unsafe code.withUnsafeBytes { unsafe apus_xdp_open($0.baseAddress, $0.count, "test") }
        guard let object = unsafe opened else { throw LabError("opening a test program: \(errno)") }
        unsafe self.object = object
        if var octets, let data = unsafe bpf_object__find_map_by_name(object, ".rodata") {
            unsafe bpf_map__set_initial_value(data, &octets, 4)
        }
        let program = unsafe bpf_object__next_program(object, nil)
        unsafe bpf_program__set_flags(program, 1 << 5)  // BPF_F_XDP_HAS_FRAGS
        let loaded = unsafe bpf_object__load(object)
        sockets = unsafe bpf_object__find_map_fd_by_name(object, "sockets")
        let attached = unsafe bpf_xdp_attach(
            Int32(if_nametoindex(interface)), bpf_program__fd(program), mode == .native ? 1 << 2 : 1 << 1, nil
        )
        guard loaded == 0, attached == 0, sockets >= 0 else {
            throw LabError(
                "loading a test program: \(loaded), \(attached): \(unsafe String(cString: apus_xdp_log_end()))"
            )
        }
    }

    deinit { unsafe bpf_object__close(object) }
}
