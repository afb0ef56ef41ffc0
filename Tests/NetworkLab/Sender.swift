import CLinux
import Glibc
import Synchronization

/// A packet socket that sends frames as they are.
public final class Sender: Sendable {
    private let socket: BoundSocket
    private let refusals = Atomic<Int>(0)

    /// How many frames the link had no room for and said so: they were sent again.
    public var refused: Int { refusals.load(ordering: .relaxed) }

    /// Opens it in the network namespace of the calling thread.
    public init(_ interface: String) throws {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_ifindex = unsafe Int32(if_nametoindex(interface))
        socket = try BoundSocket(AF_PACKET, APUS_SOCK_RAW | APUS_SOCK_CLOEXEC, to: address, interface)
    }

    /// Sends `total` frames at a pace, these over and over, and waits for room where there is none.
    ///
    /// - Parameter isOver: asked all the time whether it shall end before.
    /// - Returns: how many it sent, and the nanoseconds from the first to the last.
    @discardableResult
    public func send(
        _ frames: [[UInt8]], total: Int = .max, perSecond rate: Double, isOver: () -> Bool = { false }
    ) throws -> (sent: Int, time: UInt64) {
        let batch = 64
        // So many that each batch is one call.
        let repeated =
            frames.count >= batch ? frames : (0..<batch * frames.count).map { frames[$0 % frames.count] }
        let prepared = Batch(repeated)
        var (sent, place) = (0, 0)
        let begun = monotonicNanoseconds
        while sent < total, !isOver() {
            let due = min(total, Int(Double(monotonicNanoseconds - begun) / 1e9 * rate) + 1)
            let count = min(due - sent, batch, repeated.count - place)
            guard count > 0 else {
                usleep(100)
                continue
            }
            let taken = try send(prepared, place..<place + count)
            sent += taken
            place = (place + taken) % repeated.count
        }
        return (sent, monotonicNanoseconds - begun)
    }

    /// What became of datagrams that were sent in batches.
    public struct Batches: Sendable {
        /// The number of each datagram's source, in the order in which they were sent.
        public fileprivate(set) var sources: [UInt32] = []
        /// How many had been sent when each batch was, and the time of CLOCK_MONOTONIC then.
        public fileprivate(set) var ends: [(sent: Int, time: UInt64)] = []

        /// Nanoseconds from the first batch to the last.
        public var time: UInt64 { ends.isEmpty ? 0 : ends[ends.count - 1].time - ends[0].time }
    }

    /// Sends datagrams at a pace, of sources by chance or in turn, and notes when.
    ///
    /// - Parameters:
    ///   - catchesUp: whether it sends at once what was due while it was kept from sending, and of sources by chance; else no
    ///     two are closer than the pace says, however busy the machine, and sources take turns.
    ///   - isOver: asked all the time whether it shall end.
    public func send(
        _ datagrams: Datagrams, perSecond rate: Double, catchesUp: Bool = true,
        until isOver: () -> Bool
    ) throws -> Batches {
        let batch = 64
        let prepared = Batch([[UInt8]](repeating: datagrams.frame, count: batch))
        var batches = Batches()
        // Of the frames in memory so many are written, and of those the first are sent.
        var (state, ready, done) = (1 as UInt32, 0, 0)
        let gap = 1e9 / rate
        var next = Double(monotonicNanoseconds)
        while !isOver() {
            let now = Double(monotonicNanoseconds)
            if done == ready {
                guard now >= next else {
                    usleep(UInt32(min(100, (next - now) / 1000 + 1)))
                    continue
                }
                (ready, done) = (catchesUp ? min(batch, Int((now - next) / gap) + 1) : 1, 0)
                for index in 0..<ready {
                    // Numerical Recipes' generator: its upper half is random enough.
                    state = state &* 1_664_525 &+ 1_013_904_223
                    let source =
                        catchesUp
                        ? UInt32((UInt64(state) * UInt64(datagrams.sources)) >> 32)
                        : UInt32(batches.sources.count % datagrams.sources)
                    // Sound: the frame is as long as that of the datagrams, and lives as long as the batch.
                    unsafe datagrams.write(source, prepared.frame(index))
                    batches.sources.append(source)
                }
                next = catchesUp ? next + Double(ready) * gap : now + gap
            }
            let taken = try send(prepared, done..<ready)
            guard taken > 0 else { continue }
            done += taken
            batches.ends.append((batches.sources.count - ready + done, monotonicNanoseconds))
        }
        batches.sources.removeLast(ready - done)
        return batches
    }

    /// Sends some frames of a batch, or waits a moment where there is no room.
    ///
    /// - Returns: how many it sent, from the first on.
    private func send(_ batch: borrowing Batch, _ frames: Range<Int>) throws -> Int {
        // Sound: all that the messages refer to lives as long as the batch.
        let taken = unsafe apus_send_messages(
            socket.descriptor, batch.message(frames.lowerBound), UInt32(frames.count), 0)
        // At the first one that is refused the call ends.
        if Int(taken) < frames.count { refusals.add(1, ordering: .relaxed) }
        guard taken > 0 else {
            guard errno == ENOBUFS || errno == EAGAIN else { throw LabError("sendmmsg: \(errno)") }
            usleep(50)
            return 0
        }
        return Int(taken)
    }
}

/// Frames in memory, and a message to the kernel for each.
@safe private struct Batch: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private let parts: UnsafeMutableBufferPointer<iovec>
    private let messages: UnsafeMutableBufferPointer<apus_message>

    init(_ frames: [[UInt8]]) {
        unsafe memory = .allocate(byteCount: frames.reduce(0) { $0 + $1.count }, alignment: 16)
        unsafe parts = .allocate(capacity: frames.count)
        unsafe messages = .allocate(capacity: frames.count)
        var offset = 0
        // Sound: each message refers to its part and each part to octets of the memory, all of which live as long as this.
        for (index, octets) in frames.enumerated() {
            let frame = unsafe UnsafeMutableRawBufferPointer(
                rebasing: memory[offset..<offset + octets.count])
            unsafe frame.copyBytes(from: octets)
            unsafe parts.initializeElement(
                at: index, to: iovec(iov_base: frame.baseAddress!, iov_len: octets.count))
            var message = unsafe apus_message()
            unsafe message.header.msg_iov = parts.baseAddress! + index
            unsafe message.header.msg_iovlen = 1
            unsafe messages.initializeElement(at: index, to: message)
            offset += octets.count
        }
    }

    deinit {
        unsafe memory.deallocate()
        unsafe parts.deallocate()
        unsafe messages.deallocate()
    }

    /// The octets of a frame. Unsafe: they go with the batch.
    @unsafe borrowing func frame(_ index: Int) -> UnsafeMutableRawPointer {
        unsafe parts[index].iov_base
    }

    /// The message of a frame, behind which those of the next ones are. Unsafe: they go with the batch.
    @unsafe borrowing func message(_ index: Int) -> UnsafeMutablePointer<apus_message> {
        unsafe messages.baseAddress! + index
    }
}

/// CLOCK_MONOTONIC.
var monotonicNanoseconds: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
