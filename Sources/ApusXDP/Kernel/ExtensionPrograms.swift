internal import ApusHost
import CXDP

/// BPF extension programs (BPF_PROG_TYPE_EXT, Linux 5.6), by which libxdp's dispatcher calls the programs in it.
public enum ExtensionPrograms {
    /// Whether this kernel has them; nil where it does not tell this process, which takes CAP_SYS_ADMIN.
    ///
    /// It is offered a program that it must refuse, and the way in which it does so tells. Nothing is loaded.
    public static var areSupported: Bool? {
        guard Capability.missing(of: [.sysAdmin]).isEmpty else { return nil }
        var answer: Int32 = 0
        _ = LibXDP.call {
            answer = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, nil)
            return 0
        }
        return answer == 1
    }
}
