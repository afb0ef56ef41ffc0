import ApusPacketSocket
import ApusPorts
import ApusRings
import Glibc
import NetworkLab

/// A peer `a` with interface va and us, `b`, with vb, joined by a link that carries what the test sends
/// and nothing else: no addresses, and no IPv6 of the kernel's own.
struct Scene {
    let lab: NetworkLab
    let a: Namespace
    let b: Namespace

    init(_ purpose: String, queues: Int = 1, mtu: Int = 1500, offloads: Bool = false) throws {
        lab = NetworkLab(purpose)
        a = try lab.namespace("a")
        b = try lab.namespace("b")
        for space in [a, b] {
            try space.run(
                "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        }
        try lab.link(a, "va", b, "vb", queues: queues, mtu: mtu, offloads: offloads)
    }

    func close() { lab.close() }

    func mac(_ name: String, in space: Namespace) throws -> [UInt8] {
        try space.run("cat", "/sys/class/net/\(name)/address").standardOutput.dropLast()
            .split(separator: ":").map { UInt8($0, radix: 16)! }
    }

    /// Opens vb.
    func open(_ change: (inout PacketSocketOptions) -> Void = { _ in }) throws -> PacketSocketInterface {
        var options = PacketSocketOptions()
        change(&options)
        return try b.enter { try PacketSocketInterface("vb", options: options) }
    }

    /// Opens vb and takes its only port.
    func port(
        frames: Int = 2048, size: FrameSize = .bytes2048, number: UInt16 = 0,
        _ change: (inout PacketSocketOptions) -> Void = { _ in }
    ) throws -> Port<PacketSocketDriver> {
        let pool = try FrameMemory(frames: frames, frameSize: size, hugePages: .never).makePool(
            frames: frames)
        return try open(change).makePort(number: number, pool: pool)
    }

    /// Sends frames as they are from va, over a packet socket of Python.
    func send(_ frames: [[UInt8]], from interface: String = "va", in space: Namespace? = nil) throws {
        let program = """
            import socket, sys
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind((sys.argv[1], 0))
            for line in sys.stdin: s.send(bytes.fromhex(line))
            """
        try (space ?? a).run(
            ["python3", "-c", program, interface], input: frames.map(hex).joined(separator: "\n"))
    }

    /// Sends `count` frames from va as fast as Python does, with their number in the octets at 42 (behind
    /// Ethernet, IPv4 and UDP headers), and gives how many the kernel took.
    func flood(_ frame: [UInt8], count: Int) throws {
        let program = """
            import socket, sys
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("va", 0))
            frame = bytearray.fromhex(sys.argv[1])
            for number in range(int(sys.argv[2])):
                frame[42:46] = number.to_bytes(4, "big")
                s.send(frame)
            """
        try a.run(["python3", "-c", program, hex(frame), "\(count)"], timeout: .seconds(60))
    }
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

extension Port<PacketSocketDriver> {
    /// Receives until there are `count` packets or none came for a while, and gives each to `body`.
    ///
    /// The pool is handed over, so that a test may go on in another thread.
    mutating func receive(
        _ count: Int, quietAfter milliseconds: Int32 = 300, _ body: (inout Packet) -> Void
    ) -> Int {
        var burst = Burst()
        var received = 0
        // By looks, so that a pause of this process counts as one of them.
        var looks: Int32 = 0
        while received < count {
            let arrived = receive(into: &burst)
            if arrived == 0 {
                if looks * 10 >= milliseconds { break }
                looks += 1
                wait(milliseconds: 10)
                continue
            }
            looks = 0
            received += arrived
            burst.forEach { body(&$0) }
            burst.removeAll()
        }
        return received
    }

    /// The bytes of the packets that arrive: at most `count`, until none came for a while.
    mutating func frames(_ count: Int, quietAfter milliseconds: Int32 = 300) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        _ = receive(count, quietAfter: milliseconds) { frames.append($0.array) }
        return frames
    }

    /// A packet with these bytes. The pool must have a free frame.
    mutating func packet(_ frame: [UInt8]) -> Packet {
        var packet = makePacket()!
        let fits = unsafe packet.replaceBytes(with: frame.span.bytes)
        precondition(fits)
        return packet
    }

    /// Sends frames, one burst after the other, and flushes.
    mutating func send(_ frames: [[UInt8]]) {
        var burst = Burst()
        var next = 0
        var deadline = ContinuousClock.now + .seconds(5)
        while next < frames.count || !burst.isEmpty {
            while burst.room > 0, next < frames.count {
                burst.append(packet(frames[next]))
                next += 1
            }
            if transmit(&burst) > 0 { deadline = .now + .seconds(5) }
            flush()
            precondition(ContinuousClock.now < deadline, "the port takes nothing")
        }
    }
}

extension Packet {
    var array: [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }
}
