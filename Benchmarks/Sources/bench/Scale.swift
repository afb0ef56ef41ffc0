import Apus
import ApusBench

// What many streams cost: the forwarder of Forward.swift with so many of them beside the same with one; as there,
// nothing else is timed. Each packet is of another stream, in an order that looks random, until each has had one: with
// many streams nothing of the next packet's is in the cache, which is as bad as it gets. The camera takes little of the
// cache: all its packets are made of one template, and it goes through the order in a row.

/// The suite `scale`. Without a partner there is no second worker.
func scale(partner: Partner?) -> Suite {
    Suite(
        "scale",
        leftOut: partner == nil
            ? ["scale/workers-2 can't be measured on one core: each worker needs its own"] : [],
        [100, 10_000, 100_000].map { streams in
            let name = "scale/streams-\(streams)"
            return Trial(name) { effort, progress in
                var bytes: [String: Double] = [:]
                func competitor(_ name: String, _ streams: Int) throws -> Competitor {
                    let forwarder = try scaled(streams: streams)
                    bytes[name] = Double(forwarder.bytes) / Double(streams)
                    return Competitor(name) { forwarder.round() }
                }
                let comparison = Comparison(
                    name, per: "packet", apus: { try competitor("Apus", streams) },
                    peer: { try competitor("1 stream", 1) })
                var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
                finding.set(\.bytes, bytes)
                return [finding]
            }
        } + (partner.map { [Trial(twoWorkers($0))] } ?? []))
}

/// A forwarder of so many streams, to one destination each, of which each has had its first packets: those make more work
/// than the others.
func scaled(streams: Int) throws -> Relayed {
    var camera = Camera(streams: streams)
    let forwarder = try Relayed(plan: plan(streams), slots: streams, batch: 32) { camera.write(&$0) }
    let wanted = 2 * streams
    while forwarder.sent < wanted {
        forwarder.fill(64)
        precondition(forwarder.work(64) == 64)
        forwarder.drain()
    }
    return forwarder
}

private func plan(_ streams: Int) -> ForwardingPlan {
    ForwardingPlan(
        streams: (0..<streams).map { stream in
            let destination = Endpoint(
                .v4(IPv4Address(bits: 0xcb00_7100 + UInt32(stream >> 15))),
                port: UInt16(0x4000 + stream & 0x7fff))
            let headers = UDPEncapsulation(
                nextHop: MACAddress("02:00:00:00:02:01")!, interface: ForwardSetup.interfaces[1],
                source: Endpoint("198.51.100.1:5000")!, destination: destination)!
            return ForwardingPlan.Stream(
                slot: stream, generation: 1, listen: Camera.endpoint(of: stream),
                destinations: [
                    Destination(
                        destination, path: .ready(interface: 1, headers, maximumPacketSize: 1514))
                ])
        },
        ownAddresses: [.v4(IPv4Address("192.0.2.2")!), .v4(IPv4Address("198.51.100.1")!)])
}

/// Makes packets of all streams in turn.
private struct Camera {
    private let template: [UInt8]
    private let order: [UInt32]
    private var next = 0
    // Each stream is as far as the others, or one behind them.
    private var sequence: UInt16 = 0

    /// The endpoint at which a stream listens: 32,768 ports of each address from 192.0.2.2 on.
    static func endpoint(of stream: Int) -> Endpoint {
        Endpoint(.v4(IPv4Address(bits: 0xc000_0202 + UInt32(stream >> 15))), port: port(of: stream))
    }

    private static func port(of stream: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: 0x4000 + stream & 0x7fff)
    }

    init(streams: Int) {
        order = Array(0..<UInt32(streams)).shuffled()
        let headers = UDPEncapsulation(
            nextHop: ForwardSetup.interfaces[0], interface: MACAddress("02:00:00:00:01:01")!,
            source: IPv4Address("192.0.2.1")!,
            sourcePort: 40_000, destination: IPv4Address("192.0.2.2")!, destinationPort: 0x4000)
        template = Datagram.bytes(payload: 200, behind: headers)
    }

    /// Writes the next packet of the next stream. What differs from the template is written a second time in a way that
    /// leaves the checksums right: the datagram's in the payload, the header's in the identification.
    mutating func write(_ packet: inout Packet) {
        let stream = Int(order[next])
        next += 1
        if next == order.count { (next, sequence) = (0, sequence &+ 1) }
        let (address, port) = (UInt16(truncatingIfNeeded: 0x202 + stream >> 15), Self.port(of: stream))
        precondition(packet.replaceBytes(with: unsafe template.span.bytes))
        var bytes = packet.mutableBytes
        Datagram.write(sequence: sequence, into: &bytes)
        let (addressBack, portBack) = (Self.difference(0x202, address), Self.difference(0x4000, port))
        bytes.storeBytes(of: addressBack.bigEndian, toByteOffset: 18, as: UInt16.self)
        bytes.storeBytes(of: address.bigEndian, toByteOffset: 32, as: UInt16.self)
        bytes.storeBytes(of: port.bigEndian, toByteOffset: 36, as: UInt16.self)
        // Octets 24 to 27 of the payload are 0 in the template.
        bytes.storeBytes(of: addressBack.bigEndian, toByteOffset: 42 + 24, as: UInt16.self)
        bytes.storeBytes(of: portBack.bigEndian, toByteOffset: 42 + 26, as: UInt16.self)
    }

    /// What has to be added to `new` for the ones' complement sum to be that of `old`.
    private static func difference(_ old: UInt16, _ new: UInt16) -> UInt16 {
        let sum = UInt32(old) &+ UInt32(~new)
        return UInt16(truncatingIfNeeded: sum & 0xffff &+ sum >> 16)
    }
}
