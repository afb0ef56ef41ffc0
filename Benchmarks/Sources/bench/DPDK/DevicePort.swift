@_spi(Benchmarks) import Apus
import ApusBench
import CTwins

// What is measured of a device of DPDK's, in Swift; the same in C is Twins/dpdk.c.

/// A port of Apus over one.
final class DevicePort {
    private var port: Port<DPDKDriver>
    private let gap = Gap()

    init(_ kind: VirtualDevice) throws {
        var options = DPDKOptions()
        options.framesPerQueue = VirtualDevice.frames
        (options.receiveDescriptors, options.transmitDescriptors) = (
            VirtualDevice.descriptors, VirtualDevice.descriptors
        )
        port = try DPDKInterface(kind.next().device, options).open()
        port.driver.limitBursts(to: VirtualDevice.burst)
    }

    /// Hands it so many packets.
    func send(_ bytes: [UInt8], _ count: Int) throws {
        var burst = Burst()
        for _ in 0..<count {
            guard var packet = port.makePacket(), packet.replaceBytes(with: unsafe bytes.span.bytes) else {
                throw BenchError("the device's pool has no frame for a packet")
            }
            burst.append(packet)
            guard port.transmit(&burst) == 1 else { throw BenchError("the device takes no packet") }
        }
    }

    /// Takes one packet out.
    func take() -> [UInt8] {
        port.driver.limitBursts(to: 1)
        defer { port.driver.limitBursts(to: VirtualDevice.burst) }
        var burst = Burst()
        port.receive(into: &burst)
        var bytes: [UInt8] = []
        burst.forEach { packet in unsafe packet.bytes.withUnsafeBytes { unsafe bytes += $0 } }
        return bytes
    }

    /// Receives a burst and sends it, so many times; gives how many packets were sent.
    func forward(_ handling: Handling, _ passes: Int) -> Int {
        handling == .io ? forwarded(&port, passes) : forwardedSwapped(&port, passes)
    }

    /// The same as testpmd times itself: gives the ticks of the passes that moved packets, each from its beginning to its end.
    func forwardTimed(_ handling: Handling, _ passes: Int) -> (count: Int, ticks: UInt64) {
        handling == .io ? timed(&port, passes) : timedSwapped(&port, passes)
    }
}

/// One pass. In each of the loops anew, as one is with testpmd and the twin.
@inline(__always)
private func pass(_ port: inout Port<DPDKDriver>, _ burst: inout Burst, swaps: Bool) -> Int {
    if port.receive(into: &burst) == 0 { return 0 }
    if swaps { burst.forEach { swapAddresses(of: &$0) } }
    let count = port.transmit(&burst)
    port.flush()
    // What there was no room for.
    if !burst.isEmpty { burst.removeAll() }
    return count
}

/// Exchanges the first six octets and the next six, as two words that overlap.
@inline(__always)
private func swapAddresses(of packet: inout Packet) {
    var bytes = packet.mutableBytes
    guard bytes.byteCount >= 14 else { return }
    // Sound: both lie in the first twelve octets, and any bits are an integer.
    let (first, second) = unsafe (
        bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self),
        bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt64.self)
    )
    bytes.storeBytes(of: second >> 16 | first << 48, toByteOffset: 0, as: UInt64.self)
    bytes.storeBytes(of: second >> 48 | first << 16, toByteOffset: 4, as: UInt64.self)
}

@inline(never)
private func forwarded(_ port: inout Port<DPDKDriver>, _ passes: Int) -> Int {
    var burst = Burst()
    var count = 0
    for _ in 0..<passes { count &+= pass(&port, &burst, swaps: false) }
    return count
}

@inline(never)
private func forwardedSwapped(_ port: inout Port<DPDKDriver>, _ passes: Int) -> Int {
    var burst = Burst()
    var count = 0
    for _ in 0..<passes { count &+= pass(&port, &burst, swaps: true) }
    return count
}

@inline(never)
private func timed(_ port: inout Port<DPDKDriver>, _ passes: Int) -> (Int, UInt64) {
    var burst = Burst()
    var (count, ticks) = (0, UInt64(0))
    for _ in 0..<passes {
        let start = dpdk_ticks()
        let done = pass(&port, &burst, swaps: false)
        if done > 0 { ticks &+= dpdk_ticks() &- start }
        count &+= done
    }
    return (count, ticks)
}

@inline(never)
private func timedSwapped(_ port: inout Port<DPDKDriver>, _ passes: Int) -> (Int, UInt64) {
    var burst = Burst()
    var (count, ticks) = (0, UInt64(0))
    for _ in 0..<passes {
        let start = dpdk_ticks()
        let done = pass(&port, &burst, swaps: true)
        if done > 0 { ticks &+= dpdk_ticks() &- start }
        count &+= done
    }
    return (count, ticks)
}

/// C's port over one.
@safe final class TwinDevicePort {
    private let port: OpaquePointer
    private let gap = Gap()

    init(_ kind: VirtualDevice) throws {
        let (name, device) = kind.next()
        guard
            let port = unsafe dpdk_open(
                device, name, UInt32(VirtualDevice.frames), UInt32(VirtualDevice.descriptors))
        else { throw BenchError("the twin can't open \(device)") }
        unsafe self.port = port
    }

    deinit { unsafe dpdk_close(port) }

    func send(_ bytes: [UInt8], _ count: Int) throws {
        guard unsafe dpdk_send(port, bytes, bytes.count, count) == count else {
            throw BenchError("the twin's device does not take \(count) packets")
        }
    }

    func take() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 2048) { buffer, count in
            count = unsafe dpdk_take(port, buffer.baseAddress, 2048)
        }
    }

    func forward(_ handling: Handling, _ passes: Int) -> Int {
        Int(unsafe dpdk_forward(port, handling == .macswap ? 1 : 0, passes))
    }
}
