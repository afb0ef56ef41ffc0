package import ApusHost
import CXDP
import Glibc
import Synchronization

/// libxdp and libbpf as this room uses them: one caller at a time, since libxdp keeps state in statics,
/// and what they print becomes the text of our errors.
enum LibXDP {
    private static let lock = Mutex(())

    /// The result of a call, and what was printed meanwhile.
    struct Outcome {
        let code: Int32
        let log: String

        /// The kernel's own words (extended acknowledgements), or else the last warning.
        var detail: String {
            let lines = log.split(whereSeparator: \.isNewline)
            if let kernel = lines.last(where: { $0.contains("Kernel error message: ") }) {
                return String(kernel.split(separator: "message: ", maxSplits: 1).last ?? kernel)
            }
            // The verifier ends with how much it has looked at; before that comes what it found.
            if let end = lines.lastIndex(where: { $0.hasPrefix("processed ") }), end > lines.startIndex {
                return String(lines[end - 1])
            }
            let last = lines.last { !$0.contains("skipping unrecognized data section") } ?? ""
            for prefix in ["libbpf: ", "libxdp: "] where last.hasPrefix(prefix) {
                return String(last.dropFirst(prefix.count))
            }
            return String(last)
        }
    }

    /// Runs `body`, which gives 0 or a negative errno. Must not be nested.
    static func call(_ body: () -> Int32) -> Outcome {
        lock.withLock { _ in
            apus_xdp_log_begin()
            let code = body()
            // Sound: the text is the thread's own, ends with a zero, and is copied before the next call begins it anew.
            return unsafe Outcome(code: -min(code, 0), log: String(cString: apus_xdp_log_end()))
        }
    }

    /// Where libxdp looks for the BPF file system. Sound: a constant, or of the environment, which nobody changes in a
    /// process that has begun; it ends with a zero.
    static var bpfFileSystem: String { unsafe String(cString: apus_xdp_bpffs()) }

    /// Whether a BPF file system is mounted there. libxdp makes its folder in it once a process only, but
    /// threads may be in different mount namespaces, so the folder is made here.
    static func prepareBPFFileSystem() -> Bool {
        guard apus_xdp_has_bpffs() != 0 else { return false }
        // Sound: the path ends with a zero.
        _ = unsafe mkdir(bpfFileSystem + "/xdp", S_IRWXU)
        return true
    }
}

extension LibXDP {
    /// XDP_FLAGS_UPDATE_IF_NOEXIST of linux/if_link.h.
    static let onlyIfNoneIsThere: UInt32 = 1 << 0
}

extension XDPMode {
    /// XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE of linux/if_link.h.
    var attachFlag: UInt32 { self == .native ? 1 << 2 : 1 << 1 }

    /// libxdp's name of the mode.
    var libxdp: xdp_attach_mode { self == .native ? XDP_MODE_NATIVE : XDP_MODE_SKB }
}

extension Capability {
    /// Those that loading and attaching a program takes. Since Linux 5.8 the verifier compares and
    /// moves packet pointers, as every program that reads packets does, only for those who have CAP_PERFMON.
    package static let toAttach: [Capability] = [.netAdmin, .bpf, .perfmon]
    /// Those that the packet filter takes, which moves no pointer to a packet by what the packet says.
    package static let toFilter: [Capability] = [.netAdmin, .bpf]
    /// Those that opening an interface takes, in the order of the manual.
    static let toOpen: [Capability] = [.netAdmin, .netRaw, .bpf, .perfmon]

    /// The names of those of `wanted` that the calling thread does not have in effect. CAP_SYS_ADMIN stands in for
    /// CAP_BPF and CAP_PERFMON, which were parts of it before Linux 5.8.
    package static func missing(of wanted: [Capability]) -> [String] {
        let held = Capabilities.current()
        let isMaster = held.has(.sysAdmin)
        return wanted.filter { !held.has($0) && !(isMaster && ($0 == .bpf || $0 == .perfmon)) }.map(\.name)
    }
}

/// A small file of /proc or /sys as text.
func readFile(_ path: String) -> String? {
    // Sound: the path ends with a zero, and no more is read than there is room for.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    return unsafe withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 16) { buffer in
        var length = 0
        while length < buffer.count {
            let more = unsafe read(file, buffer.baseAddress! + length, buffer.count - length)
            guard more > 0 else { break }
            length += more
        }
        return unsafe String(decoding: buffer[..<length], as: UTF8.self)
    }
}

/// The interfaces of this network namespace.
package func interfaceNames() -> [String] {
    // Sound: the list ends with an entry without a name, and is freed when it has been read.
    guard let list = unsafe if_nameindex() else { return [] }
    defer { unsafe if_freenameindex(list) }
    var names: [String] = []
    var next = unsafe list
    while let name = unsafe next.pointee.if_name {
        unsafe names.append(String(cString: name))
        unsafe next += 1
    }
    return names
}

/// The kind of a virtual interface of this network namespace; nil for a physical one.
func interfaceKind(_ name: String) throws(XDPError) -> String? {
    let index = try interfaceIndex(name)
    do throws(HostError) {
        return try Link.ask(index).kind
    } catch {
        guard case .netlink(_, let code, _) = error else {
            throw XDPError(name, .failed("asking for its kind", code: EIO, detail: "\(error)"))
        }
        throw XDPError(
            name,
            code == ENODEV
                ? .noSuchInterface(existing: interfaceNames())
                : .failed("asking for its kind", code: code, detail: ""))
    }
}

/// The index of an interface of this network namespace.
package func interfaceIndex(_ name: String) throws(XDPError) -> Int32 {
    // Sound: the name ends with a zero.
    let index = unsafe if_nametoindex(name)
    if index != 0 { return Int32(index) }
    guard errno == ENODEV || errno == ENXIO else {
        throw XDPError(name, .failed("asking for its index", code: errno, detail: ""))
    }
    throw XDPError(name, .noSuchInterface(existing: interfaceNames()))
}

/// The name that an interface of this network namespace has now; nil when it is gone. What it was opened by may be
/// another one's since.
package func interfaceName(_ index: Int32) throws(BPFError) -> String? {
    let (name, code) = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) {
        name in
        // Sound: there is room for the longest name and its zero.
        guard unsafe if_indextoname(UInt32(index), name.baseAddress!) != nil else {
            return (String?.none, errno)
        }
        return (unsafe String(cString: name.baseAddress!), 0)
    }
    guard name != nil || code == ENXIO || code == ENODEV else {
        throw BPFError("asking for the name of interface \(index)", code: code)
    }
    return name
}
