import CXDP
import Glibc

/// An XDP program on an interface, as the kernel tells it. This does not ask libxdp, which only sees what
/// is pinned in the BPF file system mounted here.
struct AttachedProgram {
    let id: UInt32
    let name: String
    let mode: XDPMode
    /// The dispatcher that calls it; nil when it is attached by itself.
    let dispatcher: UInt32?
    /// The kernel's numbers of its maps.
    let maps: [UInt32]
    /// Set when it is a steering program of Apus.
    let owner: SteeringOwner?

    static let dispatcherName = "xdp_dispatcher"

    /// The programs on an interface, in no order; an empty dispatcher counts as a program itself. The kernel shows
    /// programs to nobody without CAP_SYS_ADMIN: then there are none.
    static func all(on index: Int32) -> [AttachedProgram] {
        attached(to: index).flatMap { programs(attachedAs: $0.id, $0.mode) }
    }

    /// The ids of the programs, or dispatchers, that are attached to an interface; for these no privilege is needed.
    static func attached(to index: Int32) -> [(id: UInt32, mode: XDPMode)] {
        var query = bpf_xdp_query_opts()
        // Up to the last field: libbpf refuses padding that is not zero, and Swift does not write it.
        query.sz = MemoryLayout<bpf_xdp_query_opts>.offset(of: \.attach_mode)! + 1
        guard LibXDP.call({ unsafe bpf_xdp_query(index, 0, &query) }).code == 0 else { return [] }
        return [(query.drv_prog_id, .native), (query.skb_prog_id, .generic)].filter { $0.0 != 0 }
    }

    private static func programs(attachedAs id: UInt32, _ mode: XDPMode) -> [AttachedProgram] {
        guard let main = AttachedProgram(id: id, mode, dispatcher: nil) else { return [] }
        guard main.name == dispatcherName else { return [main] }
        let called = links(to: id).compactMap { AttachedProgram(id: $0, mode, dispatcher: id) }
        return called.isEmpty ? [main] : called
    }

    /// The programs that replace functions of a dispatcher: BPF links of type tracing that target it.
    private static func links(to dispatcher: UInt32) -> [UInt32] {
        var (link, programs): (UInt32, [UInt32]) = (0, [])
        while unsafe bpf_link_get_next_id(link, &link) == 0 {
            let descriptor = bpf_link_get_fd_by_id(link)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var info = bpf_link_info()
            var length = UInt32(MemoryLayout<bpf_link_info>.size)
            guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0,
                info.type == BPF_LINK_TYPE_TRACING.rawValue, info.tracing.target_obj_id == dispatcher
            else { continue }
            programs.append(info.prog_id)
        }
        return programs
    }

    private init?(id: UInt32, _ mode: XDPMode, dispatcher: UInt32?) {
        let descriptor = bpf_prog_get_fd_by_id(id)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var maps = InlineArray<64, UInt32>(repeating: 0)
        var info = bpf_prog_info()
        var span = maps.mutableSpan
        let known = unsafe span.withUnsafeMutableBufferPointer { maps in
            info.nr_map_ids = UInt32(maps.count)
            info.map_ids = UInt64(UInt(bitPattern: maps.baseAddress))
            var length = UInt32(MemoryLayout<bpf_prog_info>.size)
            return unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0
        }
        guard known else { return nil }
        self.id = id
        self.mode = mode
        self.dispatcher = dispatcher
        name = string(of: info.name)
        // The kernel says how many there are, and has written as many as there was room for: BPF_PROG_BIND_MAP
        // gives a program more than it could be loaded with.
        let count = min(Int(info.nr_map_ids), maps.count)
        self.maps = (0..<count).map { maps[$0] }
        owner = name == SteeringProgram.name ? SteeringOwner(maps: self.maps) : nil
    }
}

/// A C array of characters that ends with a zero, imported as a tuple.
func string<Characters>(of characters: Characters) -> String {
    unsafe withUnsafeBytes(of: characters) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}

/// The kernel's number of the program that a descriptor refers to.
func programID(_ descriptor: Int32) -> UInt32? {
    var info = bpf_prog_info()
    var length = UInt32(MemoryLayout<bpf_prog_info>.size)
    return unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0 ? info.id : nil
}
