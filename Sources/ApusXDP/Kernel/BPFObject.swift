import CXDP
import Glibc

/// A compiled BPF object: its programs and maps, opened by libbpf and then loaded into the kernel.
///
/// Set what is to differ before it is loaded. What it has loaded goes with it, unless it is pinned, attached, or held
/// by a descriptor of somebody else's.
@safe
package final class BPFObject: @unchecked Sendable {
    /// Its name in messages.
    package let name: String
    // Sound: it is only used under the lock of libxdp, and last by deinit, when nobody else has it.
    let pointer: OpaquePointer

    /// Opens an object that `EmbedBPF` has compiled.
    package init(_ code: [UInt8], name: String) throws(BPFError) {
        self.name = name
        var opened: OpaquePointer?
        let outcome = LibXDP.call {
            unsafe opened = code.withUnsafeBytes { bytes in
                unsafe apus_xdp_open(bytes.baseAddress, bytes.count, name)
            }
            return unsafe opened == nil ? -errno : 0
        }
        guard let opened = unsafe opened else {
            throw BPFError("opening the program \(name)", code: outcome.code, detail: outcome.detail)
        }
        unsafe pointer = opened
    }

    // Frees memory and closes descriptors, without libxdp.
    deinit { unsafe bpf_object__close(pointer) }

    /// Sets the value that a data section begins with: `.rodata` holds the constants (`const volatile`), which the
    /// verifier then knows.
    ///
    /// The type is the C struct that is the section's only variable.
    package func set<Data: BitwiseCopyable>(_ section: String, to value: Data) throws(BPFError) {
        var value = value
        // Sound: libbpf copies that many bytes, and refuses another size than the section's.
        try unsafe change(section) { unsafe bpf_map__set_initial_value($0, &value, MemoryLayout<Data>.size) }
    }

    /// Sets how many entries a map shall have.
    package func set(_ map: String, maxEntries: Int) throws(BPFError) {
        try unsafe change(map) { unsafe bpf_map__set_max_entries($0, UInt32(clamping: maxEntries)) }
    }

    /// Uses a map that exists in the place of one of the object's, which must be like it.
    package func use<Key, Value>(_ existing: BPFMap<Key, Value>, as map: String) throws(BPFError) {
        try unsafe change(map) { unsafe bpf_map__reuse_fd($0, existing.descriptor) }
    }

    /// Makes an XDP program one that another can call by a PROG_ARRAY: the kernel wants both to be alike.
    package func set(_ program: String, calledBy caller: TailCaller) throws(BPFError) {
        let outcome = LibXDP.call {
            guard let found = unsafe bpf_object__find_program_by_name(pointer, program) else {
                return -ENOENT
            }
            let fragments: UInt32 = 1 << 5  // BPF_F_XDP_HAS_FRAGS of linux/bpf.h.
            let flags = unsafe bpf_program__flags(found)
            switch caller {
            case .alone(takesFragments: true):
                return unsafe bpf_program__set_flags(found, flags | fragments)
            case .alone(takesFragments: false):
                return unsafe bpf_program__set_flags(found, flags & ~fragments)
            case .dispatched:
                // Extension programs have neither the flag nor a type of attachment.
                let set = unsafe bpf_program__set_expected_attach_type(found, bpf_attach_type(0))
                return set == 0 ? unsafe bpf_program__set_flags(found, flags & ~fragments) : set
            }
        }
        try succeed(outcome, "changing the program \(program)")
    }

    /// Leaves a program out when the object is loaded.
    package func leaveOut(_ program: String) throws(BPFError) {
        let outcome = LibXDP.call {
            guard let found = unsafe bpf_object__find_program_by_name(pointer, program) else {
                return -ENOENT
            }
            return unsafe bpf_program__set_autoload(found, false)
        }
        try succeed(outcome, "leaving out the program \(program)")
    }

    /// Loads the maps and programs into the kernel. The detail of an error is the end of what the verifier said.
    package func load() throws(BPFError) {
        try succeed(LibXDP.call { unsafe bpf_object__load(pointer) }, "loading \(name)")
    }

    /// A program that has been loaded.
    package func program(_ name: String) throws(BPFError) -> BPFProgram {
        var descriptor: Int32 = -1
        let outcome = LibXDP.call {
            guard let found = unsafe bpf_object__find_program_by_name(pointer, name) else { return -ENOENT }
            descriptor = unsafe bpf_program__fd(found)
            return min(descriptor, 0)
        }
        try succeed(outcome, "finding the program \(name)")
        return try BPFProgram(duplicating: descriptor)
    }

    /// A map that has been loaded.
    package func map<Key, Value>(
        _ name: String, _: Key.Type = Key.self, _: Value.Type = Value.self
    ) throws(BPFError) -> BPFMap<Key, Value> {
        try BPFMap(duplicating: try descriptor(ofMap: name))
    }

    /// The object's own descriptor of a map that has been loaded.
    func descriptor(ofMap name: String) throws(BPFError) -> Int32 {
        var descriptor: Int32 = -1
        let outcome = LibXDP.call {
            descriptor = unsafe bpf_object__find_map_fd_by_name(pointer, name)
            return min(descriptor, 0)
        }
        try succeed(outcome, "finding the map \(name)")
        return descriptor
    }

    private func change(_ map: String, _ body: (OpaquePointer) -> Int32) throws(BPFError) {
        let outcome = LibXDP.call {
            guard let found = unsafe bpf_object__find_map_by_name(pointer, map) else { return -ENOENT }
            return unsafe body(found)
        }
        try succeed(outcome, "changing the map \(map) of \(name)")
    }

    private func succeed(_ outcome: LibXDP.Outcome, _ operation: String) throws(BPFError) {
        guard outcome.code != 0 else { return }
        throw BPFError(operation, code: outcome.code, detail: outcome.detail)
    }
}
