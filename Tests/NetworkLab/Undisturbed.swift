import CLinux
import Glibc
import Synchronization

/// Measures what is about real time, and once more where something else had the machine meanwhile: ten times at most.
///
/// A result that is not right counts only if nothing disturbed it, and one that is right counts in any case. So nothing
/// that is wrong comes to be right by it, other than what is wrong only sometimes.
///
/// - Parameters:
///   - pause: the longest time for which a thread that wants to run every millisecond may be kept from it, on any CPU.
///   - measure: does all of it anew.
///   - isRight: whether the result is as it should be.
/// - Returns: the first result that counts.
/// - Throws: `LabError` where no measurement counts.
public func undisturbed<R>(
    beyond pause: Duration = .milliseconds(20), _ measure: () throws -> R, isRight: (R) -> Bool
) throws -> R {
    var longest: [Duration] = []
    for _ in 0..<10 {
        let (outcome, found) = try longestPause(of: measure)
        longest.append(found)
        guard found > pause else { return try outcome.get() }
        if case .success(let result) = outcome, isRight(result) { return result }
    }
    throw LabError(
        "measured ten times, and something else had the machine each time, for as long as \(longest)")
}

/// Does something, and tells for how long at most a thread that wants to run every millisecond was kept from it meanwhile, on any
/// CPU.
private func longestPause<R>(of body: () throws -> R) throws -> (Result<R, any Error>, Duration) {
    let watch = PauseWatch()
    var threads: [pthread_t] = []
    func end() {
        watch.isOver.store(true, ordering: .relaxed)
        for thread in threads { pthread_join(thread, nil) }
    }
    do {
        // One of a virtual machine's CPUs may stand still while the others go on.
        for cpu in usableCPUs { threads.append(try startThread(on: cpu) { watch.run() }) }
    } catch {
        end()
        throw error
    }
    let outcome = Result(catching: body)
    end()
    return (outcome, watch.longest.withLock { $0 })
}

/// Those on which this process may run.
private var usableCPUs: [Int] {
    (0..<sysconf(Int32(_SC_NPROCESSORS_CONF))).filter { apus_may_run_on(Int32($0)) }
}

/// What threads do that want to run every millisecond, and the longest time for which one did not.
private final class PauseWatch: Sendable {
    let isOver = Atomic<Bool>(false)
    let longest = Mutex(Duration.zero)

    func run() {
        var last = ContinuousClock.now
        while !isOver.load(ordering: .relaxed) {
            usleep(1000)
            let now = ContinuousClock.now
            longest.withLock { $0 = max($0, now - last) }
            last = now
        }
    }
}
