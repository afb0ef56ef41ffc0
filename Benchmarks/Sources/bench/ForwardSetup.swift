import Apus
import CTwins

/// The streams that both forward: each from a port of its own to as many destinations.
struct ForwardSetup {
    static let streams = 64
    /// The link-layer addresses of the two interfaces: where packets come in, and where they leave if not there.
    static let interfaces = [MACAddress("02:00:00:00:01:02")!, MACAddress("02:00:00:00:02:02")!]
    private static let listen = IPv4Address("192.0.2.2")!
    private static let leave = IPv4Address("198.51.100.1")!
    private static let payloadSize = 200

    let fanOut: Int
    /// The number of the interface by which packets leave.
    private let interface: UInt16
    private let destinations: [UDPEncapsulation]
    /// A frame of each stream, of `size` octets.
    let templates: [UInt8]
    let size: Int

    init(fanOut: Int, leavingBy interface: UInt16) {
        (self.fanOut, self.interface) = (fanOut, interface)
        destinations = (0..<Self.streams * fanOut).map {
            UDPEncapsulation(
                nextHop: MACAddress("02:00:00:00:02:01")!, interface: Self.interfaces[Int(interface)],
                source: Self.leave, sourcePort: UInt16(5000 + $0 / fanOut),
                destination: IPv4Address("203.0.113.7")!, destinationPort: UInt16(10_000 + $0))
        }
        // RTP of payload type 0 without its sequence number and timestamp, which the camera writes.
        let all = (0..<Self.streams).map { stream in
            Datagram.bytes(
                payload: Self.payloadSize, behind: Self.arriving(stream), ssrc: 0x4170_0000 + UInt32(stream))
        }
        size = all[0].count
        templates = all.flatMap { $0 }
    }

    private static func arriving(_ stream: Int) -> UDPEncapsulation {
        UDPEncapsulation(
            nextHop: interfaces[0], interface: MACAddress("02:00:00:00:01:01")!,
            source: IPv4Address("192.0.2.1")!, sourcePort: 40_000, destination: listen,
            destinationPort: UInt16(5000 + stream))
    }

    /// Where the streams come in.
    var endpoints: [Endpoint] {
        (0..<Self.streams).map { Endpoint(.v4(Self.listen), port: UInt16(5000 + $0)) }
    }

    var plan: ForwardingPlan {
        ForwardingPlan(
            streams: endpoints.enumerated().map { stream, listen in
                ForwardingPlan.Stream(
                    slot: stream, generation: 1, listen: listen,
                    destinations: (0..<fanOut).map { number in
                        let headers = destinations[stream * fanOut + number]
                        return Destination(
                            Endpoint(.v4(IPv4Address("203.0.113.7")!), port: headers.destinationPort),
                            path: .ready(interface: interface, headers, maximumPacketSize: 1514))
                    })
            },
            ownAddresses: [.v4(Self.listen), .v4(Self.leave)])
    }

    /// The same for the twin, without the sizes of its pools and rings.
    func withTwins<Result>(_ body: (UnsafeMutablePointer<forward_setup>) -> Result) -> Result {
        let destinations = destinations.map { encapsulation($0) }
        return unsafe destinations.withUnsafeBufferPointer { destinations in
            unsafe templates.withUnsafeBufferPointer { templates in
                var twin = unsafe forward_setup()
                unsafe (twin.streams, twin.fan_out) = (Self.streams, fanOut)
                unsafe twin.macs = (Self.interfaces[0].bits, Self.interfaces[1].bits)
                unsafe twin.own = (UInt64(Self.listen.bits), UInt64(Self.leave.bits))
                unsafe (twin.listen, twin.first_port) = (UInt64(Self.listen.bits), 5000)
                unsafe twin.destinations = destinations.baseAddress
                unsafe twin.templates = templates.baseAddress
                unsafe twin.size = size
                return unsafe body(&twin)
            }
        }
    }
}

extension ForwardSetup {
    /// Makes packets of all streams in turn.
    struct Camera {
        private let setup: ForwardSetup
        private var sequences = [UInt16](repeating: 0, count: streams)
        private var next = 0

        init(_ setup: ForwardSetup) { self.setup = setup }

        /// Puts the frame of the next one behind what is there.
        mutating func append(to frames: inout [UInt8]) {
            let start = frames.count
            frames += setup.templates[next * setup.size..<(next + 1) * setup.size]
            var span = frames.mutableSpan
            var bytes = unsafe span.mutableBytes
            Datagram.write(sequence: sequences[next], into: &bytes, at: start)
            sequences[next] &+= 1
            next = (next + 1) % streams
        }
    }
}
