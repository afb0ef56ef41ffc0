import CLinux
import Glibc
import NetworkLab

/// The other end of a cable to a card of a ``Guest``: whole Ethernet frames, without their FCS.
///
/// Nothing is lost on it: who sends waits until the card has taken a frame, and the card until this end has room.
final class Wire: Sendable {
    private let descriptor: Descriptor
    /// Where this end is, and the card's.
    let path, otherPath: String
    private let other: SocketAddress

    init(_ path: String) throws {
        (self.path, otherPath) = (path, path + ".guest")
        descriptor = try Descriptor(AF_UNIX, APUS_SOCK_DGRAM)
        try descriptor.bind(SocketAddress(path: path))
        other = SocketAddress(path: otherPath)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        unsafe setsockopt(
            descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends a frame into the card; waits when there is no room.
    func send(_ frame: [UInt8]) throws {
        let count = unsafe other.withPointer { target, length in
            unsafe frame.withUnsafeBytes {
                unsafe sendto(descriptor.number, $0.baseAddress, $0.count, 0, target, length)
            }
        }
        guard count == frame.count else { throw LabError.system("sending a frame to the guest") }
    }

    /// The next frames from the card, of those that are wanted: as many as `count`, or those that came until nothing
    /// has come for that long.
    func receive(
        _ count: Int, quiet milliseconds: CInt = 10_000, where isWanted: ([UInt8]) -> Bool = { _ in true }
    ) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while frames.count < count, ContinuousClock.now < deadline,
            descriptor.isReadable(within: milliseconds), let frame = descriptor.read(1 << 16)
        {
            if isWanted(frame) { frames.append(frame) }
        }
        return frames
    }
}
