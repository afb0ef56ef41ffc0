import CLinux
import CMeter
import Glibc
import Synchronization

/// The cores that are measured on: one for the measuring thread, another for its partner.
public struct Cores: Sendable {
    /// Where the measuring thread runs: the last core, as the first has most interrupts.
    public let own: Int
    /// Another one; `nil` on a machine with only one.
    public let other: Int?

    /// Pins the calling thread, or says why that failed.
    public init() throws {
        var cores = [Int32](repeating: 0, count: 1024)
        let count = Int(unsafe meter_cores(&cores, 1024))
        own = count > 0 ? Int(cores[count - 1]) : 0
        other = count > 1 ? Int(cores[count - 2]) : nil
        try Self.move(to: own)
    }

    /// Pins the calling thread to another core, where it goes on at once; or says why that failed.
    public static func move(to core: Int) throws {
        let error = meter_pin(Int32(core))
        guard error == 0 else {
            // The words of strerror(3) are a constant of the C library, or the thread's own.
            throw BenchError("can't stay on core \(core): \(unsafe String(cString: strerror(error)))")
        }
    }
}

/// A thread on the other core, which does one half of what takes two.
public final class Partner: @unchecked Sendable {
    // Written while `phase` is `idle`, read by the thread while it is `working`.
    private nonisolated(unsafe) var job: () -> Void = {}
    private let phase = Atomic<Int>(0)
    private static var idle: Int { 0 }
    private static var working: Int { 1 }

    /// A partner that is pinned to that core. It stays for as long as the process.
    public init(core: Int) throws {
        var thread: UInt = 0
        // The reference that the thread takes over is never given back.
        let error = unsafe apus_start_thread(
            &thread, Int32(core), { unsafe Unmanaged<Partner>.fromOpaque($0!).takeRetainedValue().wait() },
            Unmanaged.passRetained(self).toOpaque())
        guard error == 0 else {
            throw BenchError("can't use core \(core): \(unsafe String(cString: strerror(error)))")
        }
    }

    /// Does `job` on the other core and `body` here, at the same time, and returns when both are done.
    ///
    /// The two may share nothing but what is atomic or made for two threads, as a ring is. Only one thread may call this,
    /// always the same: a second one's job would take the place of the first's.
    public func during(_ job: @escaping () -> Void, _ body: () -> Void) {
        unsafe self.job = job
        phase.store(Self.working, ordering: .releasing)
        body()
        while phase.load(ordering: .acquiring) == Self.working {}
    }

    /// Spins for some milliseconds, so that it is at once there in the next round, then looks every 100 µs.
    private func wait() -> Never {
        var spins = 0
        while true {
            if phase.load(ordering: .acquiring) == Self.working {
                unsafe job()
                phase.store(Self.idle, ordering: .releasing)
                spins = 0
            } else if spins < 10_000_000 {
                spins += 1
            } else {
                usleep(100)
            }
        }
    }
}
