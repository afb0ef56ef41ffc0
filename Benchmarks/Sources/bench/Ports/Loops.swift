import Apus
import CTwins

// What is measured of a port, in Swift; the same in C is Twins/loops.h.

/// A port of Apus.
final class Worker<Driver: PortDriver & ~Copyable> {
    private var port: Apus.Port<Driver>

    init(_ port: consuming Apus.Port<Driver>) { self.port = port }

    var grant: PortGrant { port.grant }
    func drain(_ wanted: Int) -> Int { drained(&port, wanted) }
    func echo(_ wanted: Int) -> Int { echoed(&port, wanted) }
    func send(_ frame: [UInt8], _ wanted: Int) -> Int { sent(&port, frame.span, wanted) }
    /// It was used by another thread until now.
    func handOver() { port.handOver() }
    /// What the kernel has taken so far.
    var taken: Int { Int(port.statistics().sent) }
    /// What the kernel has not taken yet.
    var pending: Int { Int(port.statistics().pending) }
}

/// Receives `wanted` packets and drops them. Gives how many came.
@inline(never)
private func drained<Driver: PortDriver & ~Copyable>(_ port: inout Apus.Port<Driver>, _ wanted: Int) -> Int {
    var burst = Burst()
    var (count, idle) = (0, 0)
    while count < wanted, idle < IDLE_LIMIT {
        let received = port.receive(into: &burst)
        idle = received > 0 ? 0 : idle + 1
        count += received
        burst.removeAll()
    }
    return count
}

/// Receives `wanted` packets and answers them. Gives how many answers were sent.
@inline(never)
private func echoed<Driver: PortDriver & ~Copyable>(_ port: inout Apus.Port<Driver>, _ wanted: Int) -> Int {
    var burst = Burst()
    var (count, idle) = (0, 0)
    while count < wanted, idle < IDLE_LIMIT {
        let received = port.receive(into: &burst)
        idle = received > 0 ? 0 : idle + 1
        burst.keep { packet in
            guard let headers = packet.udp else { return false }
            packet.swapEndpoints(headers)
            return true
        }
        count += port.transmit(&burst)
        port.flush()
    }
    return count
}

/// Sends packets as long as `frame`, with its headers. Gives how many were sent.
@inline(never)
private func sent<Driver: PortDriver & ~Copyable>(
    _ port: inout Apus.Port<Driver>, _ frame: Span<UInt8>, _ wanted: Int
) -> Int {
    var burst = Burst()
    var (count, idle) = (0, 0)
    while count < wanted, idle < IDLE_LIMIT {
        idle += 1
        while burst.room > 0, var packet = port.makePacket() {
            _ = packet.append(frame.count)
            var bytes = packet.mutableBytes
            unsafe bytes.withUnsafeMutableBytes { target in
                unsafe frame.withUnsafeBytes { source in
                    unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<Int(HEADERS)]))
                }
            }
            burst.append(packet)
        }
        count += port.transmit(&burst)
        port.flush()
    }
    return count
}
