import Apus
import CTraffic
import Foundation

/// A host with two services on UDP, and a network from which a flood comes to one of them and a stream to the other, by the
/// same wire: two namespaces with a veth pair between them.
// Sound: the sender is made and ended by it, and what it gives is copied.
@safe final class FloodStage {
    static let streamPort: UInt16 = 5004
    static let floodPort: UInt16 = 53
    /// Packets a second of the stream.
    static let streamRate = 10_000
    /// Where the flood comes from.
    private static let sources = 1000
    /// The lowest rate at which a packet of the stream, which is the first of its burst, is on time.
    static let leastRate = 100_000.0

    private static let senderMAC = "02:00:00:00:01:01"
    private static let hostMAC = "02:00:00:00:01:02"
    private static let streamer = IPv4Address("10.77.1.1")!
    private static let host = IPv4Address("10.77.1.2")!
    /// With its number in the lower half.
    private static let flooder = IPv4Address("198.18.0.0")!
    private static let frameSize = 64

    let host: Space
    let interface: String
    private let network: Space
    private let sender: OpaquePointer
    private let senderCore: Int
    /// The kernel's thread that receives.
    private let receiver: Int32
    private let stream: DatagramCount
    private let flood: DatagramCount

    /// - Parameter guardCore: where the host's kernel receives, by a thread of its own (threaded NAPI): veth would do it
    ///   where was sent, so that a flood would be held back by whoever drops it.
    init(guardCore: Int, senderCore: Int) throws {
        self.senderCore = senderCore
        let (network, host) = (try Space("flooders"), try Space("guarded"))
        // The kernel's thread is called after it, and other runs have such a thread too.
        let interface = "fl\(getpid())"
        try network.ip(
            "link add eth0 address \(Self.senderMAC) type veth peer name \(interface) address \(Self.hostMAC) "
                + "netns \(host.pid)")
        try network.ip("link set eth0 up")
        try host.ip("link set \(interface) up")
        try host.ip("address add \(Self.host)/24 dev \(interface)")
        // What comes from the flood's addresses has a way back, so the kernel takes it.
        try host.ip("route add default via \(Self.streamer)")
        try host.ip("neighbor add \(Self.streamer) lladdr \(Self.senderMAC) dev \(interface) nud permanent")
        // An interface to which XDP frames are sent takes them with NAPI, which GRO turns on.
        try host.run("ethtool -K \(interface) gro on")
        try Child.run(["sh", "-c", "echo 1 >/sys/class/net/\(interface)/threaded"], in: host.pid)
        receiver = try Self.seatedReceiver(of: interface, on: guardCore)
        stream = try DatagramCount(port: Self.streamPort, in: host)
        flood = try DatagramCount(port: Self.floodPort, in: host)
        let (made, code) = try unsafe network.enter { unsafe (traffic_flooder_open("eth0"), errno) }
        guard let made = unsafe made else { throw RelayError.code("the sender of the flood", code) }
        unsafe sender = made
        (self.network, self.host, self.interface) = (network, host, interface)
    }

    deinit { unsafe traffic_flooder_close(sender) }

    /// Has the kernel's thread that receives for an interface run on that core, before all that is not of real time: the
    /// ring of a veth interface has 256 places, a quarter of a millisecond's worth.
    private static func seatedReceiver(of interface: String, on core: Int) throws -> Int32 {
        let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
        let receiver = processes.first { process in
            let name = try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)
            return name?.hasPrefix("napi/\(interface)-") ?? false
        }
        guard let receiver else {
            throw RelayError("the kernel has no thread that receives for \(interface)")
        }
        let code = traffic_have_lead(receiver, Int32(core))
        guard code == 0 else { throw RelayError.code("the core of the thread that receives", code) }
        return receiver
    }

    /// Nanoseconds that the receiving thread has had its core so far.
    private func timeReceiving() throws -> Double {
        let path = "/proc/\(receiver)/schedstat"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let time = text.split(separator: " ").first.flatMap({ Double($0) })
        else { throw RelayError("\(path) does not say how long the receiving thread ran") }
        return time
    }

    /// What came of a flood.
    struct Outcome {
        /// Packets a second of the flood that were really offered.
        var offered: Double
        /// What of the stream did not arrive, as a share.
        var lostShare: Double
        /// Nanoseconds for each packet of both that the receiving thread had its core.
        var coreTime: Double
    }

    /// Sends the stream and a flood, both together at a rate.
    ///
    /// - Parameter burst: packets that are sent together; by default what 50 microseconds hold, at most 32.
    /// - Throws: a sentence, too, if what passes of the flood is not what its limit says: more, or less.
    func flood(rate: Double, seconds: Double, burst: Int? = nil) throws -> Outcome {
        var refused = ""
        // Too little also passes where the machine stands still, which it does not three times in a row.
        for _ in 0..<3 {
            let (outcome, passed) = try floodOnce(rate: rate, seconds: seconds, burst: burst)
            guard passed.count < passed.least else { return outcome }
            refused = "\(passed.count) packets, where the limits let \(Int(passed.least)) pass at least"
        }
        throw RelayError("of the flood there passed, three times, less than should: \(refused)")
    }

    private func floodOnce(
        rate: Double, seconds: Double, burst: Int?
    ) throws -> (Outcome, passed: (count: Double, least: Double)) {
        _ = (stream.take(), flood.take())
        let burst = burst ?? min(32, max(1, Int(rate * 50e-6)))
        let bursts = UInt32(rate * seconds) / UInt32(burst)
        let frames = (
            Self.frame(from: Self.streamer, to: Self.streamPort),
            Self.frame(from: Self.flooder, to: Self.floodPort)
        )
        let (sender, core) = unsafe (sender, Int32(senderCore))
        let before = try timeReceiving()
        let sent = try network.enter {
            let code = traffic_lead(core)
            guard code == 0 else { throw RelayError.code("the sender's core and priority", code) }
            return unsafe traffic_flood(
                sender, frames.0, frames.1, Self.frameSize, UInt32(Self.sources), UInt64(Self.streamRate),
                UInt32(burst), UInt64(rate), bursts)
        }
        guard sent.error == 0 else { throw RelayError.code("sending the flood", sent.error) }
        // What is still in the interface's ring.
        usleep(20_000)
        let receiving = try timeReceiving() - before
        let (arrived, passed) = (stream.take(), flood.take())
        guard arrived <= sent.streamed else { throw RelayError("more of the stream arrived than was sent") }
        let time = Double(sent.nanoseconds) / 1e9
        let limit = FloodGuard.floodLimit
        // A burst, and what comes in at the rate since the last trial was begun.
        let most = Double(Self.sources) * (2 * Double(limit.burst) + Double(limit.rate) * time)
        guard Double(passed) <= most else {
            throw RelayError(
                "of the flood \(passed) packets passed in \(time) s, where the limits let \(Int(most)) pass at most"
            )
        }
        // What comes in at the rate, of which the last packet may still be to come; and a tenth less, for a machine that
        // stands still at the end of a trial. Who drops more than the limit says would look better than he is.
        let least = Double(Self.sources) * max(0, 0.9 * Double(limit.rate) * time - 1)
        return (
            Outcome(
                offered: Double(sent.flooded) / time,
                lostShare: 1 - Double(arrived) / Double(max(1, sent.streamed)),
                coreTime: receiving / Double(sent.flooded + sent.streamed)),
            (Double(passed), least)
        )
    }

    /// A datagram to the host without a UDP checksum.
    private static func frame(from source: IPv4Address, to port: UInt16) -> [UInt8] {
        let headers = UDPEncapsulation(
            nextHop: MACAddress(hostMAC)!, interface: MACAddress(senderMAC)!, source: source,
            sourcePort: 40_000,
            destination: host, destinationPort: port)
        var bytes = [UInt8](repeating: 0, count: frameSize)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        do {
            try headers.encode(into: &raw, payloadLength: frameSize - headers.byteCount, udpChecksum: 0)
        } catch {
            fatalError("the headers fit: \(error)")
        }
        return bytes
    }
}
