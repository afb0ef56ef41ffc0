import ApusPorts
import ApusRings
import CDPDK
import CRingPair
import Synchronization
import Testing

@testable import ApusDPDK

/// All tests over devices in this process: DPDK is one for all of them, and its devices are not made side by side.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DeviceTests {
    /// Starts DPDK without hugepages, for all tests.
    static func startDPDK() throws {
        var options = EALOptions()
        (options.hugePages, options.memory) = (.never, 384)
        try EAL.start(options)
    }

    /// A name that no other device of this process has had.
    static func name(_ driver: String) -> String {
        "\(driver)\(number.add(1, ordering: .relaxed).newValue)"
    }
    private static let number = Atomic<Int>(0)
}

/// The names of two devices joined crosswise.
@safe
struct Rings: @unchecked Sendable {
    // Sendable: it is only read.
    @unsafe private let pair: OpaquePointer
    var names: [String] {
        // Sound: the texts stay as long as the rings, which is for good.
        (0..<2).map { unsafe String(cString: ring_pair_device(pair, $0)) }
    }
    /// Packets on their way to each.
    var waiting: [Int] { (0..<2).map { unsafe Int(ring_pair_waiting(pair, $0)) } }

    /// Has the packets on their way to a device come with what a device may know of them.
    func describe(
        _ number: UInt32, flags: UInt64, tag: UInt16 = 0, hash: UInt32 = 0, time: UInt64 = 0,
        at offset: Int = 0
    ) {
        unsafe ring_pair_describe(pair, number, flags, tag, hash, UInt32(offset), time)
    }

    init(slots: Int = 1024) throws {
        try DeviceTests.startDPDK()
        let name = DeviceTests.name("x") + "_"
        unsafe pair = try #require(unsafe ring_pair_make(name, UInt32(slots)))
    }
}

/// A port over each of two devices joined crosswise.
struct JoinedPorts: ~Copyable {
    static let frames = 640

    let rings: Rings
    var first: Port<DPDKDriver>
    var second: Port<DPDKDriver>

    init(_ rings: Rings? = nil, slots: Int = 1024, _ options: DPDKOptions = Self.small) throws {
        let rings = try rings ?? Rings(slots: slots)
        try self.init(rings, first: options, second: options)
    }

    /// With options for each.
    init(_ rings: Rings, first: DPDKOptions, second: DPDKOptions) throws {
        let interfaces = try zip(rings.names, [first, second]).map { try DPDKInterface($0, $1) }
        self.init(rings, try interfaces[0].open(), try interfaces[1].open())
    }

    private init(
        _ rings: Rings, _ first: consuming Port<DPDKDriver>, _ second: consuming Port<DPDKDriver>
    ) {
        self.rings = rings
        self.first = first
        self.second = second
    }

    /// Few descriptors and frames.
    static var small: DPDKOptions {
        var options = DPDKOptions()
        (options.receiveDescriptors, options.transmitDescriptors) = (64, 64)
        options.framesPerQueue = frames
        return options
    }

    /// Frames that are somewhere, those in `held` among them.
    func frames(held: Int) -> Int {
        first.driver.framesInside + second.driver.framesInside + held
    }
}

/// A pool that had no frame left.
struct NoFrame: Error {}

extension Port where Driver == DPDKDriver {
    /// Frames that DPDK counts in its pool, and those dropped here: all, when the device has none and nobody holds one.
    var home: Int {
        mutating get {
            let free = driver.pool.free
            return unsafe Int(apus_pool_available(driver.memory.pool)) + free
        }
    }

    /// A packet of these octets in a frame of its own pool.
    mutating func packet(_ octets: [UInt8]) throws -> Packet {
        guard var packet = makePacket() else { throw NoFrame() }
        packet.set(octets)
        return packet
    }

    /// Sends all of them, and gives what comes at the other end.
    mutating func send(_ frames: [[UInt8]], to other: inout Port<DPDKDriver>) throws -> [[UInt8]] {
        var burst = Burst()
        var arrived = Burst()
        var received: [[UInt8]] = []
        var next = 0
        for _ in 0..<frames.count * 4 + 100 {
            while next < frames.count, burst.room > 0 {
                burst.append(try packet(frames[next]))
                next += 1
            }
            transmit(&burst)
            flush()
            other.receive(into: &arrived)
            while let packet = arrived.popFirst() { received.append(packet.octets) }
            if received.count == frames.count { break }
        }
        return received
    }
}

extension Packet {
    /// Makes it hold these octets.
    mutating func set(_ octets: [UInt8]) {
        let fits = unsafe replaceBytes(with: octets.span.bytes)
        #expect(fits)
    }

    /// The octets of all segments.
    var octets: [UInt8] {
        var all: [UInt8] = []
        forEachSegment { segment in
            unsafe segment.withUnsafeBytes { unsafe all.append(contentsOf: $0) }
        }
        return all
    }
}
