import ApusPorts
import ApusRings
import ApusWire
import CXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// A map of the kernel's that goes with the test.
private struct Map: ~Copyable {
    let descriptor: Int32
    let id: UInt32

    init(_ type: bpf_map_type, _ name: String, key: Int = 4, value: Int) throws {
        descriptor = unsafe bpf_map_create(type, name, UInt32(key), UInt32(value), 1, nil)
        guard descriptor >= 0 else { throw LabError("making a map: \(errno)") }
        var info = bpf_map_info()
        var length = UInt32(MemoryLayout<bpf_map_info>.size)
        _ = unsafe bpf_obj_get_info_by_fd(descriptor, &info, &length)
        id = info.id
    }

    deinit { close(descriptor) }
}

/// What other programs on the host, or a broken kernel, may hand us.
@Suite("What is read from the kernel is not believed", .requires(.root))
struct HostileKernelTests {
    @Test func `A map that is only called like ours is not read as the owner`() throws {
        let size = MemoryLayout<apus_steer_owner>.size
        let sockets = try Map(BPF_MAP_TYPE_XSKMAP, "apus_xsks", value: 4)
        let ours = try Map(BPF_MAP_TYPE_ARRAY, "apus_ste.rodata", value: size)
        #expect(SteeringOwner(maps: [ours.id, sockets.id]) != nil)
        // A look-up would write 40 bytes for each CPU.
        let perCPU = try Map(BPF_MAP_TYPE_PERCPU_ARRAY, "apus_ste.rodata", value: size)
        #expect(SteeringOwner(maps: [perCPU.id, sockets.id]) == nil)
        // A look-up would read a key of 512 bytes.
        let long = try Map(BPF_MAP_TYPE_HASH, "apus_ste.rodata", key: 512, value: size)
        #expect(SteeringOwner(maps: [long.id, sockets.id]) == nil)
        let short = try Map(BPF_MAP_TYPE_ARRAY, "apus_ste.rodata", value: size - 8)
        #expect(SteeringOwner(maps: [short.id, sockets.id]) == nil)
    }

    @Test func `A program of our name with more maps than it could be loaded with is looked at`() throws {
        let net = try Pair("maps")
        defer { net.lab.close() }
        try net.b.enter {
            // r0 = XDP_PASS; exit
            let code: [UInt64] = [0x0000_0002_0000_00b7, 0x95]
            let program = unsafe code.withUnsafeBytes { code in
                let instructions = unsafe code.bindMemory(to: bpf_insn.self).baseAddress
                return unsafe bpf_prog_load(
                    BPF_PROG_TYPE_XDP, SteeringProgram.name, "GPL", instructions, 2, nil)
            }
            defer { close(program) }
            for _ in 0..<70 {
                let map = try Map(BPF_MAP_TYPE_ARRAY, "many", value: 4)
                let bound = bpf_prog_bind_map(program, map.descriptor, nil)
                try #require(bound == 0)
            }
            let index = unsafe Int32(if_nametoindex("vb"))
            let attached = bpf_xdp_attach(index, program, XDPMode.generic.attachFlag, nil)
            try #require(attached == 0)
            defer { _ = bpf_xdp_detach(index, XDPMode.generic.attachFlag, nil) }
            let all = try AttachedProgram.all(on: index)
            #expect(all.map(\.name) == [SteeringProgram.name] && all[0].owner == nil)
            #expect(Leftover.all().isEmpty)
        }
    }

    /// Changes what the kernel has written into the RX ring, before the driver reads it.
    @Test func `A descriptor that leaves its frame is dropped by name, and its frame stays accounted for`()
        throws
    {
        try withPort("forged", options(.generic)) { port, wire, interface, _ in
            let inside = port.driver.framesInside
            let ring = unsafe port.driver.control.takeUnretainedValue().rings.pointer.pointee.receive
            let forgeries: [(inout xdp_desc) -> Void] = [
                { $0.len = 1 << 20 }, { $0.len = .max }, { $0.addr = $0.addr & ~2047 | 63 },
                { $0.addr |= 2047 }, { $0.addr = .max }, { $0.addr = 1 << 40 },
            ]
            for (number, forge) in forgeries.enumerated() {
                let next = unsafe ring.consumer.pointee
                try wire.send(Numbered.frame(number))
                for _ in 0..<2000 where unsafe ring.producer.pointee == next { usleep(1000) }
                let arrived = unsafe ring.producer.pointee
                try #require(arrived != next)
                let entry = unsafe ring.ring.assumingMemoryBound(to: xdp_desc.self) + Int(next & ring.mask)
                unsafe forge(&entry.pointee)
                var burst = Burst()
                #expect(port.receive(into: &burst) == 0 && burst.isEmpty)
                #expect(port.driver.framesInside + port.driver.pool.free == 8192)
            }
            let forged = UInt64(forgeries.count)
            #expect(port.statistics().drops[.badDescriptor] == forged && port.statistics().received == 0)
            // The kernel is given others in their place; they stay out of use.
            var burst = Burst()
            #expect(port.receive(into: &burst) == 0)
            #expect(port.driver.framesInside == inside + forgeries.count)
        }
    }

    @Test func `A packet of which one segment is not to be believed is dropped whole`() throws {
        try withPort("torn", options(.generic), mtu: 9000) { port, wire, interface, _ in
            if try port.lacksMultiBuffer() { return }
            let ring = unsafe port.driver.control.takeUnretainedValue().rings.pointer.pointee.receive
            for segment in 0..<3 {
                let next = unsafe ring.consumer.pointee
                try wire.send(Numbered.frame(segment, length: 4000))
                for _ in 0..<2000 where unsafe ring.producer.pointee == next { usleep(1000) }
                let arrived = unsafe ring.producer.pointee
                try #require(arrived == next + 3)
                let mask = unsafe ring.mask
                let place = Int((next + UInt32(segment)) & mask)
                unsafe (ring.ring.assumingMemoryBound(to: xdp_desc.self) + place).pointee.len = 1 << 20
                var burst = Burst()
                #expect(port.receive(into: &burst) == 0 && burst.isEmpty)
                #expect(port.statistics().drops[.badDescriptor] == UInt64(segment + 1))
                #expect(port.driver.framesInside + port.driver.pool.free == 8192)
            }
            try wire.send(Numbered.frame(7, length: 4000))
            expectEqual(port.receive(1), [Numbered.frame(7, length: 4000)])
            let statistics = port.statistics()
            #expect(statistics.received == 1 && statistics.receivedBytes == 4000)
        }
    }

    @Test func `What has come home is sent, though the kernel says later that it took it`() throws {
        try withPort("late", options(.generic)) { port, wire, _, _ in
            port.send((0..<8).map { Numbered.frame($0) })
            port.settle(inside: Int(port.driver.receiving))
            // As kernels before Linux 6.17 leave it: how far they came they say with their next call.
            let ring = unsafe port.driver.control.takeUnretainedValue().rings.pointer.pointee.transmit
            unsafe ring.consumer.pointee &-= 4
            unsafe port.driver.transmitRing = KernelProducer(ring)
            let statistics = port.statistics()
            unsafe ring.consumer.pointee &+= 4
            #expect(statistics.sent == 8 && statistics.pending == 0)
            expectEqual(wire.receiveAll(), (0..<8).map { Numbered.frame($0) })
        }
    }
}
