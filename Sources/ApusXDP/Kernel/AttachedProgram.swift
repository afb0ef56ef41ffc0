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
    /// programs to nobody without CAP_SYS_ADMIN in the initial user namespace: then there are none, or EPERM where all are
    /// `needed`.
    static func all(on index: Int32, needed: Bool = false) throws(BPFError) -> [AttachedProgram] {
        var all: [AttachedProgram] = []
        for (id, mode) in try attached(to: index) { all += try programs(attachedAs: id, mode, needed) }
        return all
    }

    /// The ids of the programs, or dispatchers, that are attached to an interface; for these no privilege is needed. An
    /// interface that is gone has none, and a question that fails says nothing of them.
    static func attached(to index: Int32) throws(BPFError) -> [(id: UInt32, mode: XDPMode)] {
        var query = bpf_xdp_query_opts()
        // Up to the last field: libbpf refuses padding that is not zero, and Swift does not write it.
        query.sz = MemoryLayout<bpf_xdp_query_opts>.offset(of: \.attach_mode)! + 1
        // Sound: libbpf writes as much as the size says.
        let outcome = LibXDP.call { unsafe bpf_xdp_query(index, 0, &query) }
        switch outcome.code {
        case 0: break
        case ENODEV, ENXIO: return []
        default:
            throw BPFError(
                "asking which XDP programs interface \(index) has", code: outcome.code, detail: outcome.detail
            )
        }
        return [(query.drv_prog_id, .native), (query.skb_prog_id, .generic)].filter { $0.0 != 0 }
    }

    private static func programs(
        attachedAs id: UInt32, _ mode: XDPMode, _ needed: Bool
    ) throws(BPFError) -> [AttachedProgram] {
        guard let main = try AttachedProgram(id: id, mode, dispatcher: nil, needed) else { return [] }
        guard main.name == dispatcherName else { return [main] }
        var called: [AttachedProgram] = []
        for link in try links(to: id, needed) {
            if let program = try AttachedProgram(id: link, mode, dispatcher: id, needed) {
                called.append(program)
            }
        }
        return called.isEmpty ? [main] : called
    }

    /// The programs that replace functions of a dispatcher: BPF links of type tracing that target it.
    private static func links(to dispatcher: UInt32, _ needed: Bool) throws(BPFError) -> [UInt32] {
        var (link, programs): (UInt32, [UInt32]) = (0, [])
        let what = "looking through the BPF links"
        while true {
            // Sound: the kernel writes one number.
            guard unsafe bpf_link_get_next_id(link, &link) == 0 else {
                try unlessOutOfSight(what, needed)
                return programs
            }
            let descriptor = bpf_link_get_fd_by_id(link)
            guard descriptor >= 0 else {
                try unlessOutOfSight(what, needed)
                continue
            }
            defer { close(descriptor) }
            var info = bpf_link_info()
            var length = UInt32(MemoryLayout<bpf_link_info>.size)
            // Sound: the kernel writes `length` bytes at most. That of a tracing link is read of one alone.
            guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0 else {
                throw BPFError(what, code: errno)
            }
            if info.type == BPF_LINK_TYPE_TRACING.rawValue, info.tracing.target_obj_id == dispatcher {
                programs.append(info.prog_id)
            }
        }
    }

    /// What went away meanwhile is no failure, nor is what the kernel does not show this process, unless it is needed.
    private static func unlessOutOfSight(_ operation: String, _ needed: Bool) throws(BPFError) {
        guard errno == ENOENT || errno == EPERM && !needed else { throw BPFError(operation, code: errno) }
    }

    private init?(id: UInt32, _ mode: XDPMode, dispatcher: UInt32?, _ needed: Bool) throws(BPFError) {
        let what = "asking about the BPF program \(id)"
        let descriptor = bpf_prog_get_fd_by_id(id)
        guard descriptor >= 0 else {
            try Self.unlessOutOfSight(what, needed)
            return nil
        }
        defer { close(descriptor) }
        var maps = InlineArray<64, UInt32>(repeating: 0)
        var info = bpf_prog_info()
        var span = maps.mutableSpan
        // Sound: the kernel gets the room's address as a number, writes as many ids as it is told there is room for, and
        // forgets it before this returns; the rest is `length` bytes at most.
        let known = unsafe span.withUnsafeMutableBufferPointer { maps in
            info.nr_map_ids = UInt32(maps.count)
            info.map_ids = UInt64(UInt(bitPattern: maps.baseAddress))
            var length = UInt32(MemoryLayout<bpf_prog_info>.size)
            return unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0
        }
        guard known else { throw BPFError(what, code: errno) }
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
func programID(_ descriptor: Int32) throws(BPFError) -> UInt32 {
    var info = bpf_prog_info()
    var length = UInt32(MemoryLayout<bpf_prog_info>.size)
    // Sound: the kernel writes `length` bytes at most.
    guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0 else {
        throw BPFError("asking about a BPF program", code: errno)
    }
    return info.id
}
