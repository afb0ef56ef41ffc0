import ApusRings

/// The frames in which a worker without a queue of an interface makes copies for it. They outlast its port, as those of a
/// queue do, so that the interface can be opened again.
@safe final class SpareFrames: @unchecked Sendable {
    // Sendable: only the worker that has the port uses them, or whoever has it while the worker rests.
    private let storage: UnsafeMutablePointer<FramePool>

    init(_ pool: consuming FramePool) {
        unsafe storage = .allocate(capacity: 1)
        unsafe storage.initialize(to: pool)
    }

    deinit {
        unsafe storage.deinitialize(count: 1)
        unsafe storage.deallocate()
    }

    var pool: FramePool {
        // Sound: this keeps it for as long as it lives.
        _read { yield unsafe storage.pointee }
        _modify { yield unsafe &storage.pointee }
    }

    /// Where they lie.
    var grant: MemoryGrant { unsafe storage.pointee.memory.grant(of: storage.pointee) }

    func take() -> Frame? { unsafe storage.pointee.take() }
}
