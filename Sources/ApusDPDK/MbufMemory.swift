import ApusRings
import CDPDK
import Glibc
import Synchronization

/// The buffers of one queue: a pool of DPDK's, from which the driver of the device takes what it receives into and to which it
/// gives what it has sent. Between DPDK's header of a buffer, the mbuf, and its data lies the header of an Apus frame.
@safe
final class MbufMemory: @unchecked Sendable {
    // Sendable: all is set when it is made, and DPDK's pool may be used by any thread.
    @unsafe let pool: OpaquePointer
    let frames: Int
    /// All devices that may hold buffers of any pool are closed when a pool goes; see ``retire()``.
    private static let retired = Mutex<[Retired]>([])

    @safe
    private struct Retired: @unchecked Sendable {
        @unsafe let pool: OpaquePointer
        let frames: Int
    }

    /// As many frames on that NUMA node, each with `room` octets and 128 in front of them.
    init(frames: Int, room: Int, node: Int32, for device: String) throws(DPDKError) {
        Self.freeRetired()
        let number = Self.numbers.add(1, ordering: .relaxed).newValue
        let size = UInt32(room + Self.headroom)
        guard
            let pool = unsafe apus_pool_make(
                "apus\(number)", UInt32(frames), UInt32(FramePool.headerSize), size, node)
        else {
            let bytes = frames * (room + Self.headroom + 256)
            throw DPDKError(
                device, .noMemory(frames: frames, megabytes: (bytes + 1 << 20 - 1) >> 20, code: errno))
        }
        unsafe self.pool = unsafe pool
        self.frames = frames
    }

    /// RTE_PKTMBUF_HEADROOM: what a device leaves in front of a received packet.
    static let headroom = 128
    private static let numbers = Atomic<Int>(0)

    deinit {
        // Another device may still hold buffers that were sent by it.
        Self.retired.withLock { unsafe $0.append(Retired(pool: pool, frames: frames)) }
        Self.freeRetired()
    }

    /// Frees the pools of which all buffers have come home.
    static func freeRetired() {
        retired.withLock { list in
            list.removeAll { entry in
                guard unsafe apus_pool_available(entry.pool) == UInt32(entry.frames) else { return false }
                unsafe apus_pool_free(entry.pool)
                return true
            }
        }
    }

    /// How many pools wait for buffers of theirs that a device still holds.
    static var retiredCount: Int { retired.withLock { $0.count } }

    /// A pool of frames over it, with none in it: they are DPDK's until they are received or taken.
    func makePool(isHuge: Bool, reason: String?, node: Int) throws(DPDKError) -> FramePool {
        var first: UnsafeMutableRawPointer?
        // Sound: the context is used during the call only.
        unsafe withUnsafeMutablePointer(to: &first) { first in
            unsafe apus_pool_each(
                pool,
                { first, mbuf in
                    unsafe first!.assumingMemoryBound(to: UnsafeMutableRawPointer?.self).pointee =
                        UnsafeMutableRawPointer(mbuf)
                },
                first)
        }
        let grant = MemoryGrant(
            requested: reason == nil && !isHuge ? .never : .preferred, pages: isHuge ? .huge2MiB : .normal,
            reason: reason,
            requestedNode: nil, node: Int32(node), refusal: 0)
        // Sound: the memory is DPDK's for as long as this object lives, which it keeps.
        let memory = unsafe FrameMemory(
            foreign: first!, frames: frames, frameSize: .bytes2048, grant: grant, keeper: self)
        let made = FramePool(foreign: memory, capacity: frames)
        unsafe apus_pool_each(
            pool,
            { home, mbuf in
                let home = unsafe home!.assumingMemoryBound(to: FramePoolCore.self)
                // Sound: behind each mbuf are as many octets for Apus as a header has, and then its buffer.
                let header = unsafe Mbuf.header(of: mbuf!)
                unsafe header.initialize(
                    to: FrameHeader(pool: home, slotSize: FramePool.headerSize + Int(mbuf!.pointee.buf_len)))
            }, made.home)
        return made
    }
}

/// From one header of a buffer to the other.
enum Mbuf {
    @inline(__always)
    static func header(of mbuf: UnsafeMutablePointer<apus_mbuf>) -> UnsafeMutablePointer<FrameHeader> {
        unsafe (UnsafeMutableRawPointer(mbuf) + Int(APUS_MBUF_SIZE)).assumingMemoryBound(to: FrameHeader.self)
    }

    @inline(__always)
    static func of(_ header: UnsafeMutablePointer<FrameHeader>) -> UnsafeMutablePointer<apus_mbuf> {
        unsafe (UnsafeMutableRawPointer(header) - Int(APUS_MBUF_SIZE)).assumingMemoryBound(to: apus_mbuf.self)
    }
}
