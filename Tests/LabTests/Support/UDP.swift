import CLinux
import Foundation
import Glibc
import NetworkLab
import Synchronization
import Testing

/// A UDP socket that stays in its namespace, whichever thread uses it.
final class UDPSocket: Sendable {
    let descriptor: Descriptor

    /// Opens and binds it; with port 0 the kernel chooses one.
    init(in space: Namespace, _ address: String, _ port: Int = 0) throws {
        let address = try SocketAddress(address, port)
        descriptor = try space.enter {
            let descriptor = try Descriptor(address.family, APUS_SOCK_DGRAM)
            try descriptor.bind(address)
            return descriptor
        }
        descriptor.set(SOL_SOCKET, 33, 256 << 20)  // SO_RCVBUFFORCE
        descriptor.set(SOL_SOCKET, 32, 16 << 20)  // SO_SNDBUFFORCE
    }

    /// Sends a datagram.
    func send(_ payload: [UInt8], to address: SocketAddress) throws {
        let count = unsafe address.withPointer { target, length in
            unsafe payload.withUnsafeBytes {
                unsafe sendto(descriptor.number, $0.baseAddress, $0.count, 0, target, length)
            }
        }
        guard count == payload.count else { throw LabError.system("sendto") }
    }
}

/// Takes every datagram that comes to an address, on a thread of its own.
final class Sink: Sendable {
    private final class State: Sendable {
        let datagrams = Mutex<[[UInt8]]>([])
        let isOver = Atomic<Bool>(false)
    }

    private let state = State()

    init(in space: Namespace, _ address: String, _ port: Int) throws {
        let socket = try UDPSocket(in: space, address, port)
        Thread.detachNewThread { [state] in
            while !state.isOver.load(ordering: .relaxed) {
                guard socket.descriptor.isReadable(within: 50) else { continue }
                var some: [[UInt8]] = []
                repeat {
                    some.append(socket.descriptor.read(4096) ?? [])
                } while some.count < 256 && socket.descriptor.isReadable(within: 0)
                state.datagrams.withLock { $0 += some }
            }
        }
    }

    deinit { state.isOver.store(true, ordering: .relaxed) }

    /// What has come so far.
    var datagrams: [[UInt8]] { state.datagrams.withLock { $0 } }

    /// How many have come so far.
    var count: Int { state.datagrams.withLock { $0.count } }

    /// Waits for that many, and a moment longer for what should not come; gives all.
    func wait(for count: Int, within limit: Duration = .seconds(20)) -> [[UInt8]] {
        let deadline = ContinuousClock.now + limit
        while self.count < count, ContinuousClock.now < deadline { usleep(5000) }
        usleep(60_000)
        return datagrams
    }

    /// Waits until nothing has come for a while, half a second by looks at it: a pause of this process counts as one.
    func drain(within limit: Duration = .seconds(20)) -> [[UInt8]] {
        let deadline = ContinuousClock.now + limit
        var (last, looks) = (count, 0)
        while ContinuousClock.now < deadline, looks < 50 {
            usleep(10_000)
            let now = count
            (last, looks) = (now, now == last ? looks + 1 : 0)
        }
        return datagrams
    }

    /// Waits until no more than so many of those that were sent are still to come, or for five seconds: who sends no
    /// more at a time than the rings in between hold loses none by a process that has to wait for its turn.
    func keepUp(with sent: Int, window: Int = 150) {
        let deadline = ContinuousClock.now + .seconds(5)
        while count + window < sent, ContinuousClock.now < deadline { usleep(1000) }
    }

    /// The numbers of what has come, if all are ``Numbered`` packets of `stream`.
    func numbers(of stream: Int = 0) -> [Int] {
        datagrams.compactMap { Numbered.read($0) }.filter { $0.stream == stream }.map(\.number)
    }
}

/// Sees that exactly these numbered packets have come to a sink, in order; says which are missing.
func expectNumbers(
    _ sink: Sink, _ expected: [Int], of stream: Int = 0, _ comment: String = "",
    _ location: SourceLocation = #_sourceLocation
) {
    _ = sink.wait(for: expected.count)
    let numbers = sink.numbers(of: stream)
    guard numbers != expected else { return }
    let missing = Set(expected).subtracting(numbers).sorted()
    Issue.record(
        """
        \(comment): \(numbers.count) of \(expected.count) numbered packets came, \(sink.count) in all; \(missing.count) \
        missing, from \(missing.first ?? -1) to \(missing.last ?? -1); \
        \(numbers == numbers.sorted() ? "in order" : "not in order")
        """, sourceLocation: location)
}

/// RTP packets that say which they are.
enum Numbered {
    /// PCMU (payload type 0 of RFC 3551) of 20 ms, with the stream and the number at its beginning.
    static func packet(stream: Int = 0, _ number: Int, length: Int = 172) -> [UInt8] {
        var octets: [UInt8] = [0x80, 0]
        func append<Number: FixedWidthInteger>(_ value: Number) {
            for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
                octets.append(UInt8(truncatingIfNeeded: value >> Number(shift)))
            }
        }
        append(UInt16(truncatingIfNeeded: number))
        append(UInt32(truncatingIfNeeded: number * 160))
        append(ssrc(stream))
        append(UInt32(stream))
        append(UInt32(number))
        // Each octet is 7 times its place, plus the number: the pattern, begun 183 numbers of octets later, since
        // 7 * 183 is 1 modulo 256. In a debug build a copy is many times faster than a loop.
        let start = octets.count + (183 * number) & 255
        octets += pattern[start..<start + max(octets.count, length) - octets.count]
        return octets
    }

    private static let pattern = (0..<9000 + 256).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    static func ssrc(_ stream: Int) -> UInt32 { 0xa900_0000 + UInt32(stream) }

    /// Which packet it is; nil if an octet of it is not as it was sent.
    static func read(_ octets: [UInt8]) -> (stream: Int, number: Int)? {
        guard octets.count >= 20 else { return nil }
        func word(_ offset: Int) -> Int { octets[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        let (stream, number) = (word(12), word(16))
        let expected = packet(stream: stream, number, length: octets.count)
        guard expected.count == octets.count else { return nil }
        // Sound: both have as many octets.
        let isSame = unsafe octets.withUnsafeBytes { octets in
            unsafe expected.withUnsafeBytes {
                unsafe memcmp(octets.baseAddress!, $0.baseAddress!, $0.count) == 0
            }
        }
        return isSame ? (stream, number) : nil
    }
}

/// Does something `count` times at a rate, and gives how long it took.
///
/// What a pause of this process has kept from being done is done later and not all at once, which would be another rate:
/// after a pause the time goes on as if it had taken 20 ms.
@discardableResult
func paced(_ count: Int, perSecond rate: Int, _ body: (Int) throws -> Void) rethrows -> Duration {
    let start = ContinuousClock.now
    var (done, last, passed) = (0, start, Duration.zero)
    while done < count {
        let now = ContinuousClock.now
        passed += min(now - last, .milliseconds(20))
        last = now
        let due = min(count, Int(passed / .seconds(1) * Double(rate)) + 1)
        while done < due {
            try body(done)
            done += 1
        }
        if done < count { usleep(500) }
    }
    return ContinuousClock.now - start
}

/// Numbered packets at a steady rate for as long as something else goes on.
final class SteadyStream: Sendable {
    private final class State: Sendable { let isOver = Atomic<Bool>(false) }

    private let state = State()
    private let sending: Background<Int>

    init(from source: UDPSocket, to target: SocketAddress, perSecond rate: Int) {
        sending = Background { [state] in
            var sent = 0
            while !state.isOver.load(ordering: .relaxed) {
                let first = sent
                sent += max(1, rate / 10)
                try paced(sent - first, perSecond: rate) {
                    try source.send(Numbered.packet(first + $0), to: target)
                }
            }
            return sent
        }
    }

    deinit { state.isOver.store(true, ordering: .relaxed) }

    /// Ends it and gives how many packets were sent.
    func finish() throws -> Int {
        state.isOver.store(true, ordering: .relaxed)
        return try sending.wait()
    }
}

/// Work on a thread of its own.
final class Background<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ work: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread {
            let result = Result { try work() }
            self.result.withLock { $0 = result }
            self.done.signal()
        }
    }

    /// Waits for its end.
    func wait() throws -> Value {
        done.wait()
        done.signal()
        return try result.withLock { try $0!.get() }
    }
}
