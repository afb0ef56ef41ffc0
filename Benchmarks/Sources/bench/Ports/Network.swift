import ApusBench
import CTwins
import Foundation

/// A network namespace of this run's own, with veth pairs. Nothing but the process keeps it: it is gone with that,
/// however the process ends.
final class Network {
    private var space = CTwins.space()

    /// Whether there is a program of that name to run.
    static func finds(_ program: String) -> Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    /// Needs root.
    init() throws {
        let error = onNewThread { [self] in unsafe space_make(&space) }
        guard error == 0 else {
            throw BenchError("no network namespace can be made: \(unsafe String(cString: strerror(error)))")
        }
        try run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    }

    /// Runs `body` on a new thread in the namespace, and waits for it. What it opens stays there.
    func inside<Result>(_ body: @escaping () throws -> Result) throws -> Result {
        try onNewThread { [self] in
            let error = unsafe space_enter(&space)
            return Swift.Result {
                guard error == 0 else { throw BenchError("setns: error \(error)") }
                return try body()
            }
        }.get()
    }

    /// Runs a command in the namespace, with what it prints on ours.
    func run(_ command: String) throws {
        let status = try inside { unsafe system(command) }
        guard status == 0 else { throw BenchError("failed: \(command)") }
    }

    /// Joins two interfaces that are up and have no addresses. Frames to others than `near`'s address are dropped by
    /// the kernel behind `far` at once.
    func join(_ near: String, _ far: String) throws {
        try run(
            """
            ip link add \(near) numrxqueues 1 numtxqueues 1 address \(Probe.near) type veth \
            peer name \(far) numrxqueues 1 numtxqueues 1 address \(Probe.far) &&
            ip link set \(near) up && ip link set \(far) up
            """)
    }
}

/// A veth pair, with who sends at its far end.
final class Wire {
    let near: String
    let far: String
    /// The socket that sends.
    let sender: Int32

    init(_ name: String, _ network: Network) throws {
        let (near, far) = ("\(name)-n", "\(name)-f")
        (self.near, self.far) = (near, far)
        try network.join(near, far)
        sender = try network.inside { unsafe veth_open(far, 0) }
        guard sender >= 0 else { throw BenchError("no socket at \(far)") }
    }

    /// The first frames that come to the far end while `body` runs, or have come when it is done; empty ones if none come.
    func frames(_ count: Int, inside network: Network, _ body: () throws -> Void) throws -> [[UInt8]] {
        let file = try network.inside { [far] in unsafe veth_open(far, 1) }
        defer { close(file) }
        try body()
        return (0..<count).map { _ in
            unsafe [UInt8](unsafeUninitializedCapacity: 2048) { buffer, count in
                count = unsafe veth_receive(file, buffer.baseAddress, 2048)
            }
        }
    }
}

/// Runs `body` on a new thread and waits for it.
private func onNewThread<Result>(_ body: @escaping () -> Result) -> Result {
    let work = Work(body)
    let thread = Thread { work.perform() }
    thread.stackSize = 4 << 20
    thread.start()
    return work.wait()
}

private final class Work<Result>: @unchecked Sendable {
    // Sendable: the semaphore parts what the two threads do with it.
    private let body: () -> Result
    private var result: Result?
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping () -> Result) { self.body = body }

    func perform() {
        result = body()
        done.signal()
    }

    func wait() -> Result {
        done.wait()
        return result!
    }
}
