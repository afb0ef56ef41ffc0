import Glibc
import Synchronization

/// The mapping that a packet socket shares with the kernel, or one of our own.
@safe
struct RingMemory: ~Copyable, @unchecked Sendable {
    // Sendable: an address that never changes, of a mapping that any thread may unmap.
    @unsafe let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// Maps the ring that was made on `socket`; `nil`, with `errno` set, when the kernel won't.
    init?(of socket: Int32, byteCount: Int) {
        let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, socket, 0)
        guard unsafe address != MAP_FAILED else { return nil }
        unsafe base = address!
        self.byteCount = byteCount
    }

    /// Maps memory that nobody else sees, each page of it there; `nil`, with `errno` set, when the kernel won't.
    init?(byteCount: Int) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
        let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard unsafe address != MAP_FAILED else { return nil }
        unsafe base = address!
        self.byteCount = byteCount
    }

    /// Lets go of the ring, which its socket then may free. Zeros are in its place: the status of slots that are the
    /// kernel's.
    func letGo() -> Bool {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
        return unsafe mmap(base, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0) == base
    }

    /// Maps another ring of the same size at the same address.
    func map(of socket: Int32) -> Bool {
        unsafe mmap(base, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, socket, 0) == base
    }

    deinit { unsafe _ = munmap(base, byteCount) }
}

extension UnsafeMutableRawPointer {
    /// A status word of the ring, which the kernel writes from other cores.
    ///
    /// Acquire and release pair with the kernel's barriers around its own accesses
    /// (`__packet_set_status` and `prb_flush_block` in net/packet/af_packet.c).
    @inline(__always)
    func loadStatus() -> UInt32 {
        // Sound: Atomic<UInt32> is a 32-bit word, and the kernel aligns its status words to four.
        unsafe assumingMemoryBound(to: Atomic<UInt32>.self).pointee.load(ordering: .acquiring)
    }

    @inline(__always)
    func storeStatus(_ status: UInt32) {
        unsafe assumingMemoryBound(to: Atomic<UInt32>.self).pointee.store(status, ordering: .releasing)
    }
}
