import ApusConfig
import ApusXDP
import CLinux
import Glibc
import NetworkLab

@testable import ApusFilter

/// A broadcast frame with a UDP datagram over IPv4, so that any host on the link takes it.
func frame(from source: UInt32, to destination: UInt32 = 0xc000_0202, port: UInt16 = 5004, octets: Int = 64)
    -> [UInt8]
{
    func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        stride(from: number.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }
    var header: [UInt8] = [0x45, 0] + bytes(UInt16(octets - 14)) + [0, 0, 0x40, 0, 64, 17, 0, 0]
    header += bytes(source) + bytes(destination)
    var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) {
        $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    (header[10], header[11]) = (UInt8(~sum >> 8 & 255), UInt8(~sum & 255))
    return [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0] + header + bytes(UInt16(4000)) + bytes(port)
        + bytes(UInt16(octets - 34)) + [0, 0] + [UInt8](repeating: 0, count: octets - 42)
}

extension RulesProgram {
    /// Rules that judge by the kernel's clock, as on an interface, where the test runs them on packets. They need not be
    /// valid: nobody is refused a rate so low that nothing fills while a test lasts.
    static func running(
        _ rules: FilterRules, secret: [UInt64] = RulesEncoding.knownSecret
    ) throws -> RulesProgram {
        try RulesProgram(
            rules, numbers: LimitNumbers().replaced(by: rules.limits).inForce, secret: secret,
            caller: .alone(takesFragments: true), now: monotonicTime)
    }

    /// What it has counted.
    func counters() throws -> FilterCounters { try FilterCounters(maps.counts) }
}

/// Runs a body on CPU 0 and on CPU 1 at the same time, on a thread that stays there: two on one CPU would count over each
/// other, which the kernel's own ways into a program never do.
func onBothCPUs<Result>(_ body: @escaping @Sendable (Int) throws -> Result) throws -> [Result] {
    let threads = try (0..<2).map { cpu in try PinnedThread(to: cpu) { try body(cpu) } }
    return try threads.map { try $0.join() }
}

/// A thread on one CPU, or on any.
final class PinnedThread<Result>: @unchecked Sendable {
    private let body: () throws -> Result
    // Written by the thread, and read when that has ended.
    private var result: Swift.Result<Result, any Error>?
    private var thread: UInt = 0

    init(to cpu: Int?, _ body: @escaping @Sendable () throws -> Result) throws {
        self.body = body
        // Sound: the thread takes over the reference.
        let own = unsafe Unmanaged.passRetained(Box { [unowned self] in run() })
        let code = unsafe apus_start_thread(
            &thread, Int32(cpu ?? -1),
            { box in
                unsafe Unmanaged<Box>.fromOpaque(box!).takeRetainedValue().body()
                return nil
            }, own.toOpaque())
        guard code == 0 else {
            unsafe own.release()
            throw LabError("a thread on CPU \(cpu ?? -1): error \(code)")
        }
    }

    private func run() { result = .init(catching: body) }

    func join() throws -> Result {
        pthread_join(thread, nil)
        return try result!.get()
    }
}

private final class Box {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}
