/// The frames of a library that makes and keeps them itself, such as DPDK's buffers: where they go when packets are dropped.
///
/// It outlives the pools made of it, of which there is one at a time: frames that are held when a pool is dropped come home all
/// the same, and are the next pool's, or ``takeAll(_:)`` gives them back to the library. It goes when all its frames are the library's.
@safe
package final class ForeignFrames: @unchecked Sendable {
    // Sendable: the stack of the core is touched by the thread that owns the pool; or, while there is none, by `takeAll`,
    // which calls of its own exclude.
    /// What the header of each of its frames names as its pool.
    @unsafe package let home: UnsafeMutablePointer<FramePoolCore>
    private let memory: FrameMemory

    /// Those of a foreign memory. None is in it: they come in when they are released, for which whoever has them answers.
    package init(_ memory: FrameMemory) {
        let count = memory.slotCount
        let raw = unsafe UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<FramePoolCore>.stride, alignment: 128)
        unsafe home = raw.bindMemory(to: FramePoolCore.self, capacity: 1)
        unsafe home.initialize(
            to: FramePoolCore(stack: .allocate(capacity: count), capacity: count, memory: memory))
        self.memory = memory
    }

    deinit { unsafe FramePoolCore.destroy(home) }

    /// Whether there is a pool, or was one that was dropped on a thread other than its own.
    package var isLent: Bool { memory.isLent.load(ordering: .acquiring) }

    /// A pool of its frames; `nil` while there is one.
    package func lend() -> FramePool? {
        guard !memory.isLent.exchange(true, ordering: .acquiringAndReleasing) else { return nil }
        return unsafe FramePool(core: home, memory: memory)
    }

    /// Takes out all frames that have come home, while there is no pool. One thread at a time.
    package func takeAll(_ body: (Frame) -> Void) {
        guard var pool = lend() else { return }
        while unsafe pool.takeRaw(Int.max, body) > 0 {}
    }
}
