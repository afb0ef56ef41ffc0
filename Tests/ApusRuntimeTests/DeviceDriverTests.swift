import ApusPorts
import ApusRings
import Glibc
import Testing

@testable import ApusRuntime

/// One end of a memory pair as a device that tells of packets by a descriptor. What the other end has not taken is pending.
private struct Device: CountingDriver, ~Copyable {
    var end: MemoryDriver
    let told: Bell
    private var taken = PortStatistics()
    private(set) var flushes = 0

    init(_ end: consuming MemoryDriver, telling told: Bell) {
        self.end = end
        self.told = told
    }

    mutating func receive(into burst: inout Burst) -> Int { end.receive(into: &burst) }

    mutating func transmit(_ burst: inout Burst) -> Int {
        let count = end.transmit(&burst)
        taken.sent += UInt64(count)
        return count
    }

    mutating func flush() { flushes += 1 }

    var pool: FramePool {
        _read { yield end.pool }
        _modify { yield &end.pool }
    }

    func canSend(_ packet: borrowing Packet) -> Bool { end.canSend(packet) }
    var framesInside: Int { end.framesInside }
    var readyDescriptor: Int32 { told.descriptor }
    var maximumPacketSize: Int { end.maximumPacketSize }
    var grant: PortGrant { end.grant }
    func counted() -> PortStatistics { taken }

    mutating func statistics() -> PortStatistics {
        var result = end.statistics()
        result.pending = UInt64(end.framesInside)
        result.sent -= result.pending
        return result
    }
}

/// A queue of a device, with the test in place of its host.
@Suite struct DeviceDriverTests {
    private struct Rig: ~Copyable {
        var port: Port<DeviceDriver<Device>>
        var host: DeviceSide.ControlEnd
        var far: Port<MemoryDriver>

        init(ring: Int = 64) throws {
            let side = try DeviceSide(bell: try Bell(isAwaited: true))
            let told = try Bell(isAwaited: true)
            let pair = try MemoryPair(frames: 256, ringCapacity: ring, hugePages: .never)
            let device = Port(Device(pair.second.intoDriver(), telling: told))
            let driver = try DeviceDriver(device, name: "device", side: side.takeWorker())
            far = pair.first
            host = side.takeControl()
            port = Port(driver)
        }

        /// The host has something to say.
        mutating func say(_ count: Int = 1) {
            for _ in 0..<count {
                let refused = host.toWorker.enqueue(DeviceDriverTests.packet(from: &far))
                precondition(refused == nil)
            }
            host.worker.ring()
        }

        mutating func mayWait() -> Bool { port.driver.mayWait() }

        /// Whether a worker that sleeps on its descriptor is woken.
        func isReadable() -> Bool {
            var one = pollfd(fd: port.driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
            return unsafe poll(&one, 1, 0) == 1
        }

        /// Gives the device packets of the relay's until it has no room, and says how many it has taken.
        mutating func fill() -> UInt64 {
            var burst = Burst()
            var count = 0
            while burst.isEmpty {
                burst.append(DeviceDriverTests.packet(from: &port))
                count += port.transmit(&burst)
            }
            return UInt64(count)
        }
    }

    private static func packet<Driver: PortDriver & ~Copyable>(from port: inout Port<Driver>) -> Packet {
        guard var packet = port.makePacket(), packet.append(60) else { fatalError("no frame") }
        return packet
    }

    @Test func `A worker that was rung for as it looked sleeps until there is something to send`() throws {
        var rig = try Rig()
        for _ in 0..<3 {
            rig.say()
            var (isReadable, mayWait) = (rig.isReadable(), rig.mayWait())
            #expect(isReadable && !mayWait)
            rig.port.flush()
            // For what it has taken already.
            rig.host.worker.ring()
            isReadable = rig.isReadable()
            mayWait = rig.mayWait()
            #expect(isReadable && mayWait)
            isReadable = rig.isReadable()
            #expect(!isReadable, "it would be woken at once, for ever")
        }
    }

    @Test func `Messages that a full device holds at the stop are in the last figures`() throws {
        var rig = try Rig(ring: 4)
        let taken = rig.fill()
        rig.say(3)
        let last = rig.port.driver.finish()
        let counters = rig.host.counters
        #expect(counters.sent.value == 0 && counters.unsent.value == 3)
        #expect(last.pending == 0 && last.drops[.sendRefused] == taken, "\(last)")
    }

    @Test func `A stop takes 50 ms, whatever does not leave and whoever has it`() throws {
        var rig = try Rig(ring: 4)
        let taken = rig.fill()
        rig.say(3)
        // Of two workers that share the device the second passes on what it sends.
        var links = try WorkerLinks.mesh(workers: 2, queues: 1, length: 8)
        var first = try SharedDriver(rig.port, links[0].take()!)
        var second = Port(
            SharedDriver<DeviceDriver<Device>>(
                links[1].take()!, spare: SpareFrames(try FrameMemory(frames: 8).makePool(frames: 8)),
                interface: "device", backend: .dpdk, longest: 1514))
        var burst = Burst()
        for _ in 0..<2 { burst.append(Self.packet(from: &second)) }
        #expect(second.transmit(&burst) == 2)

        let last = (first.finish(), second.driver.finish())
        // A millisecond at least is between two of them.
        let flushes = first.own!.driver.own.driver.flushes
        #expect(flushes <= 50 + 5)
        #expect(last.0.pending == 0 && last.1.pending == 0)
        #expect(last.0.drops[.sendRefused] + last.1.drops[.sendRefused] == taken + 2)
        #expect(rig.host.counters.unsent.value == 3)
    }
}
