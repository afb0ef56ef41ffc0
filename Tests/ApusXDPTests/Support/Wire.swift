import CLinux
import Glibc
import NetworkLab

/// A packet socket on one interface: the other party of a veth link, which is the kernel's own code.
final class Wire {
    private let descriptor: CInt

    /// Opens it in the network namespace of the calling thread.
    init(_ interface: String) throws {
        descriptor = socket(AF_PACKET, APUS_SOCK_RAW | APUS_SOCK_CLOEXEC, 0)
        guard descriptor >= 0 else { throw LabError("socket(AF_PACKET): \(errno)") }
        // struct sockaddr_ll of packet(7): family, protocol ETH_P_ALL in network order, index, and 12 more.
        var address = InlineArray<5, UInt32>(repeating: 0)
        address[0] = UInt32(AF_PACKET) | UInt32(UInt16(0x0003).bigEndian) << 16
        address[1] = unsafe if_nametoindex(interface)
        let span = address.span
        let bound = unsafe span.withUnsafeBytes { bytes in
            unsafe bind(descriptor, bytes.bindMemory(to: sockaddr.self).baseAddress, 20)
        }
        guard bound == 0 else { throw LabError("bind(\(interface)): \(errno)") }
        var size: CInt = 16 << 20
        unsafe setsockopt(descriptor, SOL_SOCKET, 33, &size, 4)  // SO_RCVBUFFORCE
        var yes: CInt = 1
        unsafe setsockopt(descriptor, 263, 23, &yes, 4)  // SOL_PACKET, PACKET_IGNORE_OUTGOING
    }

    deinit { close(descriptor) }

    /// Sends a frame as it is.
    func send(_ frame: [UInt8]) throws {
        for _ in 0..<1000 {
            let sent = unsafe frame.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, 0)
            }
            if sent == frame.count { return }
            guard errno == ENOBUFS || errno == EAGAIN else { throw LabError("send: \(errno)") }
            usleep(100)
        }
        throw LabError("send: still no buffers")
    }

    /// The next frame that arrives within the time, or nil.
    func receive(within milliseconds: CInt = 1000) -> [UInt8]? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, milliseconds) == 1 else { return nil }
        var frame = [UInt8](repeating: 0, count: 65536)
        let length = unsafe frame.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        guard length >= 0 else { return nil }
        return Array(frame[..<length])
    }

    /// The next frame that is from the address the tests send from; the kernel of the other side says
    /// things of its own at any time.
    func receiveOurs(within milliseconds: CInt = 1000) -> [UInt8]? {
        while let frame = receive(within: milliseconds) {
            if frame.count >= 12, frame[6..<12].elementsEqual([2, 0, 0, 0, 0, 9]) { return frame }
        }
        return nil
    }

    /// All frames of ours that arrive until none does for a while.
    func receiveAll(quietAfter milliseconds: CInt = 100) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = receiveOurs(within: milliseconds) { frames.append(frame) }
        return frames
    }
}
