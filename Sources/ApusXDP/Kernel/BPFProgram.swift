import CXDP
import Glibc

/// A BPF program that the kernel has, and a descriptor of it.
///
/// Control plane: may be called from any thread; each call is a system call.
package final class BPFProgram: Sendable {
    /// Its descriptor, which this object closes.
    package let descriptor: Int32
    /// The kernel's number of it.
    package let id: UInt32
    /// Its name, of 15 bytes at most.
    package let name: String
    /// Whether it is an extension program, as those are that libxdp's dispatcher calls.
    package let isExtension: Bool
    /// When it was loaded: nanoseconds since the machine's start (CLOCK_BOOTTIME).
    package let loadTime: UInt64

    /// Takes over a descriptor; it is closed when this fails.
    package init(taking descriptor: Int32) throws(BPFError) {
        var info = bpf_prog_info()
        var length = UInt32(MemoryLayout<bpf_prog_info>.size)
        // Sound: the kernel writes `length` bytes at most.
        guard isDescriptor(descriptor, of: "bpf-prog"),
            unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0
        else {
            let code = errno
            close(descriptor)
            throw BPFError("asking about a BPF program", code: code)
        }
        self.descriptor = descriptor
        isExtension = info.type == BPF_PROG_TYPE_EXT.rawValue
        (id, loadTime) = (info.id, info.load_time)
        name = string(of: info.name)
    }

    /// Opens the program that is pinned at a path.
    package convenience init(opening path: String) throws(BPFError) {
        try self.init(taking: BPFFileSystem.openPin(path, "program"))
    }

    /// Opens the program that is pinned at a path; nil when nothing is there.
    package convenience init?(ifPinnedAt path: String) throws(BPFError) {
        guard let descriptor = try BPFFileSystem.openPinIfThere(path, "program") else { return nil }
        try self.init(taking: descriptor)
    }

    /// Opens the program with a number of the kernel's, which takes CAP_SYS_ADMIN.
    package convenience init(id: UInt32) throws(BPFError) {
        let descriptor = bpf_prog_get_fd_by_id(id)
        guard descriptor >= 0 else { throw BPFError("opening the BPF program \(id)", code: errno) }
        try self.init(taking: descriptor)
    }

    /// Makes a descriptor of one's own of a program whose descriptor somebody else closes.
    package convenience init(duplicating descriptor: Int32) throws(BPFError) {
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard own >= 0 else { throw BPFError("duplicating a BPF program's descriptor", code: errno) }
        try self.init(taking: own)
    }

    deinit { close(descriptor) }

    /// Pins it at a path in the BPF file system, where nothing may be yet.
    package func pin(to path: String) throws(BPFError) {
        guard unsafe bpf_obj_pin(descriptor, path) == 0 else {
            throw BPFError("pinning the program \(name) as \(path)", code: errno)
        }
    }

    /// What a program did with a packet.
    package struct Run: Hashable, Sendable {
        /// What it returned.
        package let verdict: UInt32
        /// How long one run took, on average, by the kernel's clock.
        package let nanoseconds: UInt32
        /// The packet behind it.
        package let data: [UInt8]
    }

    /// Runs it on a packet (BPF_PROG_TEST_RUN), with the maps as they are.
    ///
    /// The kernel wants 14 octets at least, and a program loaded with support for fragments where they don't fit in a
    /// page. It does not run programs that are in a dispatcher, which are of another type there.
    package func run(on packet: [UInt8], times: Int = 1) throws(BPFError) -> Run {
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        var code: Int32 = 0
        // XDP programs move a packet's start by 256 octets at most.
        let data = unsafe [UInt8](unsafeUninitializedCapacity: packet.count + 256) { room, count in
            unsafe packet.withUnsafeBytes { packet in
                unsafe options.data_in = packet.baseAddress.map { unsafe UnsafeRawPointer($0) }
                unsafe options.data_size_in = UInt32(packet.count)
                unsafe options.data_out = UnsafeMutableRawPointer(room.baseAddress)
                unsafe options.data_size_out = UInt32(room.count)
                unsafe options.repeat = Int32(clamping: times)
                // Sound: the kernel reads and writes within the sizes given, and says how many octets it wrote.
                code = unsafe -bpf_prog_test_run_opts(descriptor, &options)
            }
            unsafe count = code == 0 ? min(Int(options.data_size_out), room.count) : 0
        }
        guard code == 0 else { throw BPFError("running the program \(name)", code: code) }
        return unsafe Run(verdict: options.retval, nanoseconds: options.duration, data: data)
    }
}

/// Whether a descriptor is one of such an object, as far as /proc tells; errno is EINVAL where not. The kernel tells of any
/// BPF object what it was asked for, also where that was meant for one of another kind.
func isDescriptor(_ descriptor: Int32, of kind: String) -> Bool {
    let target = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { room in
        let length = unsafe readlink("/proc/self/fd/\(descriptor)", room.baseAddress!, room.count)
        return unsafe String(
            decoding: room.prefix(max(length, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
    errno = EINVAL
    return target.isEmpty || target == "anon_inode:\(kind)"
}
