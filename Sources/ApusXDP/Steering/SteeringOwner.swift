import CXDP
import Glibc

/// Who loaded a steering program, read back from it, and whether that process still lives.
struct SteeringOwner {
    let owner: apus_steer_owner
    /// The id of its XSKMAP.
    private let sockets: UInt32

    /// The process id, in its own PID namespace.
    var pid: Int32 { Int32(bitPattern: owner.pid) }

    /// Finds the owner in the read-only data among a program's maps.
    init?(maps: [UInt32]) {
        var (owner, sockets): (apus_steer_owner?, UInt32?) = (nil, nil)
        for id in maps {
            let descriptor = bpf_map_get_fd_by_id(id)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var info = bpf_map_info()
            var length = UInt32(MemoryLayout<bpf_map_info>.size)
            guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length) == 0 else { continue }
            if info.type == BPF_MAP_TYPE_XSKMAP.rawValue {
                sockets = id
            } else if string(of: info.name).hasSuffix(".rodata"), Self.canHold(info) {
                var (key, value): (UInt32, apus_steer_owner) = (0, apus_steer_owner())
                // Sound: the kernel reads a key and writes a value of the sizes that were checked.
                if unsafe bpf_map_lookup_elem(descriptor, &key, &value) == 0 { owner = value }
            }
        }
        guard let owner, let sockets else { return nil }
        (self.owner, self.sockets) = (owner, sockets)
    }

    /// Whether a look-up in the map reads four bytes and writes an owner, and no more: anybody can call a map
    /// what ours is called, and one of another type writes more than its value's size (a per-CPU array a value
    /// for each CPU).
    static func canHold(_ map: bpf_map_info) -> Bool {
        map.type == BPF_MAP_TYPE_ARRAY.rawValue && map.key_size == MemoryLayout<UInt32>.size
            && map.value_size == MemoryLayout<apus_steer_owner>.size
    }

    /// Whether the process that loaded it still lives.
    ///
    /// In our own PID namespace the process table knows. A process of another namespace lives as long as one
    /// of its sockets is in the XSKMAP; it gets ten seconds to put the first one there.
    var isAlive: Bool {
        if owner.pid_namespace == Self.pidNamespace {
            return Self.startTime(of: pid) == owner.start_time
        }
        return Self.bootTime &- owner.attached_at < 10_000_000_000 || hasSocket
    }

    /// What is written into a program that this process loads.
    static func current() -> apus_steer_owner {
        var owner = apus_steer_owner()
        owner.version = UInt32(APUS_STEER_VERSION)
        owner.pid = UInt32(bitPattern: getpid())
        owner.start_time = startTime(of: getpid()) ?? 0
        owner.pid_namespace = pidNamespace
        owner.attached_at = bootTime
        return owner
    }

    private static var bootTime: UInt64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    private static var pidNamespace: UInt64 {
        var facts = stat()
        return unsafe stat("/proc/self/ns/pid", &facts) == 0 ? UInt64(facts.st_ino) : 0
    }

    /// Field 22 of /proc/PID/stat. The name in field 2 may hold spaces and parentheses, so counting starts
    /// behind its last parenthesis. A zombie no longer counts as living.
    private static func startTime(of pid: Int32) -> UInt64? {
        guard let text = readFile("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }

    /// Whether any queue of the XSKMAP has a socket. It can't be read from user space, so a program that
    /// redirects to it is run on a packet; its verdict tells.
    private var hasSocket: Bool {
        let map = bpf_map_get_fd_by_id(sockets)
        guard map >= 0 else { return false }
        defer { close(map) }
        var object: OpaquePointer?
        defer { unsafe bpf_object__close(object) }
        let loaded = LibXDP.call {
            unsafe object = LivenessProgram.object.withUnsafeBytes { bytes in
                unsafe apus_xdp_open(bytes.baseAddress, bytes.count, "apus_liveness")
            }
            guard let declared = unsafe bpf_object__find_map_by_name(object, "apus_xsks")
            else { return -ENOENT }
            let reused = unsafe bpf_map__reuse_fd(declared, map)
            return reused == 0 ? unsafe bpf_object__load(object) : reused
        }
        // A program that can't be run is no reason to end one that may be in use.
        guard loaded.code == 0, let program = unsafe bpf_object__next_program(object, nil) else {
            return true
        }
        let descriptor = unsafe bpf_program__fd(program)
        return (0..<UInt32(APUS_STEER_QUEUES)).contains { queue in
            var packet = InlineArray<16, UInt32>(repeating: 0)
            packet[0] = queue
            let bytes = packet.span
            return unsafe bytes.withUnsafeBytes {
                unsafe apus_xdp_test_run(descriptor, $0.baseAddress, UInt32($0.count))
            } == XDP_REDIRECT.rawValue
        }
    }
}
