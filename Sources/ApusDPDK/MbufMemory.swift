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
    private let dropped: ForeignFrames
    /// Frames that were not DPDK's when the last port was closed; see ``DPDKDriver/outside``.
    let outside = Atomic<Int>(0)

    /// What remains of memories that went while frames of theirs were held, or queued by another device.
    @safe
    private struct Retired: @unchecked Sendable {
        @unsafe let pool: OpaquePointer
        let dropped: ForeignFrames
    }

    private static let retired = Mutex<[Retired]>([])
    private static let numbers = Atomic<Int>(0)

    /// RTE_PKTMBUF_HEADROOM: what a device leaves in front of a received packet.
    static let headroom = 128

    /// As many frames, each with `room` octets and 128 in front of them, on that NUMA node if it has memory for them;
    /// `nil` is that of the device, which is the other number.
    init(
        frames: Int, room: Int, node: Int?, near device: Int32, pages: EAL.Pages, for name: String
    ) throws(DPDKError) {
        Self.freeRetired()
        let number = Self.numbers.add(1, ordering: .relaxed).newValue
        let size = room + Self.headroom
        let wanted = node.map { Int32(clamping: $0) } ?? device
        func make(_ node: Int32) -> OpaquePointer? {
            unsafe apus_pool_make(
                "apus\(number)", UInt32(frames), UInt32(FramePool.headerSize), UInt32(size), node)
        }
        // SOCKET_ID_ANY
        guard let pool = unsafe make(wanted) ?? make(-1) else {
            let megabytes = Self.megabytes(frames: frames, room: room)
            throw DPDKError(
                name,
                .noMemory(
                    frames: frames,
                    pages.isHuge
                        ? .ofHugepages(megabytes)
                        : MemoryShortage(wanted: megabytes, source: .normal(has: pages.megabytes))))
        }
        unsafe self.pool = unsafe pool
        let grant = MemoryGrant(
            requested: pages.requested, pages: pages.isHuge ? .huge2MiB : .normal, reason: pages.reason,
            requestedNode: node, node: unsafe MemoryNode.of(UnsafeRawPointer(pool)), refusal: 0)
        // Sound: there are as many frames, which are DPDK's for as long as `Retired` says. Where they begin is not looked at.
        let memory = unsafe FrameMemory(
            foreign: UnsafeMutableRawPointer(pool), frames: frames,
            frameCapacity: FramePool.headerSize + size - FramePool.dataOffset, grant: grant)
        dropped = ForeignFrames(memory)
        unsafe apus_pool_each(
            pool,
            { home, mbuf in
                let home = unsafe home!.assumingMemoryBound(to: FramePoolCore.self)
                // Sound: behind each mbuf are as many octets for Apus as a header has, and then its buffer.
                let header = unsafe Mbuf.header(of: mbuf!)
                unsafe header.initialize(
                    to: FrameHeader(pool: home, slotSize: FramePool.headerSize + Int(mbuf!.pointee.buf_len)))
            }, dropped.home)
    }

    /// What so many frames take at least, with what DPDK has before each (64 octets), rounded down.
    static func leastMegabytes(frames: Int, room: Int) -> Int {
        (frames * (room + headroom + Int(APUS_MBUF_SIZE) + FramePool.headerSize + 64)) >> 20
    }

    /// The same with the pool beside them, rounded up.
    static func megabytes(frames: Int, room: Int) -> Int {
        leastMegabytes(frames: frames, room: room) + 2
    }

    deinit {
        Self.retired.withLock { unsafe $0.append(Retired(pool: pool, dropped: dropped)) }
        Self.freeRetired()
    }

    /// Where frames are dropped to; `nil` while a port has it.
    func lend() -> FramePool? { dropped.lend() }

    /// Frees the pools of which all frames have come home.
    static func freeRetired() {
        retired.withLock { list in
            list.removeAll { entry in
                unsafe entry.dropped.takeAll { frame in
                    // Sound: the frame is of that pool, and nobody else has it.
                    var mbuf: UnsafeMutablePointer<apus_mbuf>? = unsafe Mbuf.of(frame.header)
                    unsafe apus_pool_give(entry.pool, &mbuf, 1)
                }
                guard !entry.dropped.isLent, unsafe apus_pool_is_full(entry.pool)
                else { return false }
                unsafe apus_pool_free(entry.pool)
                return true
            }
        }
    }

    /// How many pools wait for frames of theirs that somebody still has.
    static var retiredCount: Int {
        freeRetired()
        return retired.withLock { $0.count }
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
