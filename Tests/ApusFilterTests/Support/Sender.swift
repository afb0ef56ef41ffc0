import CLinux
import Glibc
import NetworkLab

@testable import ApusFilter

/// A packet socket that sends frames as they are.
final class Sender: Sendable {
    private let descriptor: CInt

    /// Opens it in the network namespace of the calling thread.
    init(_ interface: String) throws {
        descriptor = socket(AF_PACKET, APUS_SOCK_RAW | APUS_SOCK_CLOEXEC, 0)
        guard descriptor >= 0 else { throw LabError("socket(AF_PACKET): \(errno)") }
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_ifindex = unsafe Int32(if_nametoindex(interface))
        let bound = unsafe withUnsafeBytes(of: &address) { bytes in
            // Sound: the kernel reads as many octets as the struct has.
            unsafe bind(
                descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                UInt32(bytes.count))
        }
        guard bound == 0 else { throw LabError("bind(\(interface)): \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends `total` frames at a pace, these over and over, and waits for room where there is none.
    ///
    /// - Parameter isOver: asked all the time whether it shall end before.
    /// - Returns: how many it sent, and the nanoseconds from the first to the last.
    @discardableResult
    func send(
        _ frames: [[UInt8]], total: Int = .max, perSecond rate: Double, isOver: () -> Bool = { false }
    ) throws -> (sent: Int, time: UInt64) {
        let batch = 64
        // So many that each batch is one call.
        let repeated =
            frames.count >= batch ? frames : (0..<batch * frames.count).map { frames[$0 % frames.count] }
        let octets = repeated.flatMap { $0 }
        let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: octets.count)
        let parts = UnsafeMutableBufferPointer<iovec>.allocate(capacity: repeated.count)
        let messages = UnsafeMutableBufferPointer<apus_message>.allocate(capacity: repeated.count)
        defer {
            unsafe memory.deallocate()
            unsafe parts.deallocate()
            unsafe messages.deallocate()
        }
        // Sound: each message refers to its part and each part to octets of the memory, all of which outlive the calls.
        _ = unsafe memory.initialize(from: octets)
        var offset = 0
        for (index, frame) in repeated.enumerated() {
            unsafe parts.initializeElement(
                at: index, to: iovec(iov_base: memory.baseAddress! + offset, iov_len: frame.count))
            var message = unsafe apus_message()
            unsafe message.header.msg_iov = parts.baseAddress! + index
            unsafe message.header.msg_iovlen = 1
            unsafe messages.initializeElement(at: index, to: message)
            offset += frame.count
        }
        var (sent, place) = (0, 0)
        let begun = monotonicTime
        while sent < total, !isOver() {
            let due = min(total, Int(Double(monotonicTime - begun) / 1e9 * rate) + 1)
            let count = min(due - sent, batch, repeated.count - place)
            guard count > 0 else {
                usleep(100)
                continue
            }
            let taken = unsafe apus_send_messages(
                descriptor, messages.baseAddress! + place, UInt32(count), 0)
            guard taken >= 0 else {
                guard errno == ENOBUFS || errno == EAGAIN else { throw LabError("sendmmsg: \(errno)") }
                usleep(50)
                continue
            }
            sent += Int(taken)
            place = (place + Int(taken)) % repeated.count
        }
        return (sent, monotonicTime - begun)
    }
}

/// A UDP socket that only counts.
final class Receiver {
    private let descriptor: CInt

    /// Opens it in the network namespace of the calling thread, for all addresses.
    init(port: UInt16) throws {
        descriptor = socket(AF_INET, APUS_SOCK_DGRAM, 0)
        var size: CInt = 64 << 20
        unsafe setsockopt(descriptor, SOL_SOCKET, 33, &size, 4)  // SO_RCVBUFFORCE
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        let bound = unsafe withUnsafeBytes(of: &address) { bytes in
            // Sound: the kernel reads as many octets as the struct has.
            unsafe bind(
                descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                UInt32(bytes.count))
        }
        guard bound == 0 else { throw LabError("bind(\(port)): \(errno)") }
    }

    deinit { close(descriptor) }

    /// How many datagrams have come since the last time.
    func count() -> Int {
        var octets = [UInt8](repeating: 0, count: 2048)
        var count = 0
        while unsafe recv(descriptor, &octets, octets.count, Int32(MSG_DONTWAIT)) >= 0 { count += 1 }
        return count
    }
}

extension Namespace {
    /// How many IPv4 packets have come to it.
    func receivedPackets() throws -> Int {
        let lines = try run("grep", "^Ip:", "/proc/net/snmp").standardOutput.split(separator: "\n")
            .map { $0.split(separator: " ") }
        guard let place = lines[0].firstIndex(of: "InReceives") else { throw LabError("no InReceives") }
        return Int(lines[1][place])!
    }
}
