import ApusConfig
import CLinux
import Glibc

/// How long a client of the control socket may take, in milliseconds.
struct ControlLimits: Sendable {
    /// Between an answer and the next command.
    var silence: UInt64 = 60_000
    /// From the beginning of a line to its end.
    var line: UInt64 = 10_000
    /// To take an answer.
    var answer: UInt64 = 30_000
}

/// One client of the control socket. It has one command at a time in work: no further one is read before the
/// answer to the last is written, so that what it can make the process hold is a line and a piece of an answer.
struct ControlClient {
    enum State: Equatable {
        /// Waits for the rest of a line.
        case reading
        /// Waits for an answer that comes later.
        case waiting
        /// Writes an answer.
        case writing
        /// Has nothing more to say.
        case finished
    }

    /// The longest line, in bytes without its end.
    static let mostLineBytes = 256

    let descriptor: Int32
    let peer: PeerCredentials?
    private(set) var state = State.reading
    /// When it is closed if nothing has changed, in nanoseconds of the monotonic clock.
    private(set) var deadline: UInt64
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var written = 0
    private var source: (any TextSource)?
    // The client has closed its side, or has said what can't be understood: no more is read.
    private var isLast = false
    private let limits: ControlLimits

    init(_ descriptor: Int32, peer: PeerCredentials?, limits: ControlLimits) {
        (self.descriptor, self.peer, self.limits) = (descriptor, peer, limits)
        deadline = Self.time(limits.silence)
    }

    private static func time(_ milliseconds: UInt64) -> UInt64 {
        Clock.monotonic &+ milliseconds &* 1_000_000
    }

    /// Reads what is there; gives up when the connection is broken.
    mutating func read() {
        // Sound: the kernel fills in at most as many bytes as there is room for, and says how many.
        var count = 0
        let part = unsafe [UInt8](unsafeUninitializedCapacity: 1024) { buffer, filled in
            count = unsafe Glibc.read(descriptor, buffer.baseAddress, 1024)
            filled = max(0, count)
        }
        if count < 0 {
            if errno != EAGAIN, errno != EINTR { state = .finished }
        } else if count == 0 {
            isLast = true
        } else {
            if input.isEmpty { deadline = Self.time(limits.line) }
            input += part
        }
    }

    /// The next whole line, without its end; nil if there is none. A line too long is answered, and ends it.
    mutating func nextLine() -> String? {
        guard state == .reading else { return nil }
        guard let end = input.firstIndex(of: UInt8(ascii: "\n")), end <= Self.mostLineBytes else {
            if input.count > Self.mostLineBytes {
                isLast = true
                input = []
                answer(ControlAnswer.failed("a line has at most \(Self.mostLineBytes) bytes").text()!)
            } else if isLast {
                // What was cut off in the middle of a line is no command.
                state = .finished
            }
            return nil
        }
        var line = input[..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        let text = String(decoding: line, as: UTF8.self)
        input.removeSubrange(...end)
        return text
    }

    /// Whether ``nextLine()`` has something to say.
    var hasLine: Bool { isLast || input.contains(UInt8(ascii: "\n")) }

    /// Throws away what came and will not be read.
    func skipUnread() {
        // Sound: the kernel fills in at most as many bytes as there is room for.
        unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { scrap in
            _ = unsafe recv(descriptor, scrap.baseAddress, scrap.count, APUS_MSG_DONTWAIT)
        }
    }

    /// The answer comes later. No deadline: it is the service's turn.
    mutating func wait() {
        state = .waiting
        deadline = .max
    }

    /// Begins an answer.
    mutating func answer(_ source: any TextSource) {
        self.source = source
        state = .writing
        deadline = Self.time(limits.answer)
    }

    /// Writes until the answer is written, the client's buffer is full, or a fair share is done.
    mutating func write() {
        for _ in 0..<8 where state == .writing {
            if written == output.count {
                output.removeAll(keepingCapacity: true)
                written = 0
                source?.appendNext(to: &output)
            }
            guard !output.isEmpty else {
                source = nil
                output = []
                state = .reading
                deadline = Self.time(limits.silence)
                return
            }
            // Sound: the buffer outlives the call, which reads no more than its count. A client that is gone is
            // no signal (MSG_NOSIGNAL).
            let count = unsafe output[written...].withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, APUS_MSG_NOSIGNAL)
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                state = .finished
            }
        }
    }
}
