import Apus
import ApusBench
import CTwins

// Parsing and writing the headers of RTP packets in Ethernet frames, from Ethernet to RTP. The twin is
// Twins/wire.c with Twins/flow.h.

/// The octets of an RTP packet, its header included. The last is the most that UDP over IPv4 carries.
private let sizes = [64, 1500, 8192, 65507]

/// The suite `wire`.
func wire() -> [Comparison] {
    var comparisons: [Comparison] = []
    for size in sizes {
        comparisons.append(
            Comparison("wire/parse/\(size)", per: "packet") {
                let frames = Frames(payload: size)
                frames.checkParsing()
                return (Competitor("Apus", run: frames.parse), Competitor("C", run: frames.twinParse))
            })
    }
    for size in sizes {
        comparisons.append(
            Comparison("wire/encode/\(size)", per: "packet") {
                let frames = Frames(payload: size)
                frames.checkEncoding()
                return (Competitor("Apus", run: frames.encode), Competitor("C", run: frames.twinEncode))
            })
    }
    // Whether the size makes a difference: the payload is not read.
    for (name, run) in [("parse", Frames.parse), ("encode", Frames.encode)] {
        comparisons.append(
            Comparison("wire/\(name)-same-at-each-size", per: "packet") {
                let (large, small) = (Frames(payload: sizes.max()!), Frames(payload: sizes.min()!))
                return (
                    Competitor("Apus", run: run(large)), Competitor("64 octets", run: run(small))
                )
            })
    }
    return comparisons
}

/// Frames of one size and of as many flows, and where what is parsed of them goes.
@safe private final class Frames {
    private static var count: Int { 16 }
    private let memory: UnsafeMutableRawPointer
    private let frames: UnsafeMutablePointer<frame_bytes>
    private let headers: UnsafeMutablePointer<UDPEncapsulation>
    private let twinHeaders: UnsafeMutablePointer<encapsulation>
    private let flows: UnsafeMutablePointer<FlowHeaders>
    private let twinFlows: UnsafeMutablePointer<flow>
    private let rtps: UnsafeMutablePointer<RTPHeader>
    private let twinRTPs: UnsafeMutablePointer<rtp>

    /// Two frames are an odd number of cache lines apart, as a multiple of 4096 octets would let them share
    /// one set of the cache.
    init(payload size: Int) {
        let count = Self.count
        let stride = (size + 42 + 127) / 128 * 128 + 64
        unsafe memory = .allocate(byteCount: stride * count, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: stride * count)
        unsafe frames = .allocate(capacity: count)
        unsafe headers = .allocate(capacity: count)
        unsafe twinHeaders = .allocate(capacity: count)
        unsafe flows = .allocate(capacity: count)
        unsafe twinFlows = .allocate(capacity: count)
        unsafe rtps = .allocate(capacity: count)
        unsafe twinRTPs = .allocate(capacity: count)
        for i in 0..<count {
            let bytes = unsafe (memory + i * stride).assumingMemoryBound(to: UInt8.self)
            unsafe (frames + i).initialize(to: frame_bytes(bytes: bytes, size: size + 42))
            let number = UInt16(i)
            unsafe (headers + i).initialize(
                to: UDPEncapsulation(
                    nextHop: MACAddress("02:00:00:00:00:02")!, interface: MACAddress("02:00:00:00:00:01")!,
                    source: IPv4Address("192.0.2.1")!, sourcePort: 5004 + number,
                    destination: IPv4Address("198.51.100.7")!, destinationPort: 6000 + number))
            unsafe (twinHeaders + i).initialize(to: encapsulation(headers[i]))
            let rtp = RTPHeader(
                payloadType: 96, sequenceNumber: number, timestamp: 3000 * UInt32(i), ssrc: 0x4170_7573)
            unsafe (rtps + i).initialize(to: rtp)
            unsafe (twinRTPs + i).initialize(
                to: .init(
                    payload_type: rtp.payloadType, marker: 0, sequence: rtp.sequenceNumber,
                    timestamp: rtp.timestamp, ssrc: rtp.ssrc))
        }
        _ = encode(1)
    }

    // No deinit: a handful of these are made in a run.

    func parse(_ repeats: Int) -> Int {
        count(repeats, unsafe parseFrames(frames, Self.count, flows, rtps, repeats))
    }

    func twinParse(_ repeats: Int) -> Int {
        count(repeats, unsafe wire_parse(frames, Self.count, twinFlows, twinRTPs, repeats))
    }

    func encode(_ repeats: Int) -> Int {
        count(repeats, unsafe encodeFrames(frames, Self.count, headers, rtps, repeats))
    }

    func twinEncode(_ repeats: Int) -> Int {
        count(repeats, unsafe wire_encode(frames, Self.count, twinHeaders, twinRTPs, repeats))
    }

    /// The packets of so many repeats, all of which must have gone well: frames refused cost less.
    private func count(_ repeats: Int, _ isRight: Bool, of competitor: String = #function) -> Int {
        precondition(isRight, "\(competitor) refuses a frame")
        return repeats * Self.count
    }

    /// That both find the same.
    func checkParsing() {
        (_, _) = (parse(1), twinParse(1))
        for i in 0..<Self.count {
            let (ours, theirs) = unsafe (flows[i], twinFlows[i])
            precondition(
                ours.sourceLow == theirs.source_low && ours.destinationLow == theirs.destination_low
                    && ours.sourcePort == theirs.source_port
                    && ours.destinationPort == theirs.destination_port
                    && ours.transportOffset == theirs.transport_offset && ours.udpLength == theirs.udp_length
                    && ours.hopLimit == theirs.hop_limit && ours.flags.rawValue == theirs.flags)
            precondition(unsafe rtps[i].sequenceNumber == twinRTPs[i].sequence)
            precondition(unsafe rtps[i].ssrc == twinRTPs[i].ssrc)
        }
    }

    /// That both write the same.
    func checkEncoding() {
        _ = encode(1)
        let ours = (0..<Self.count).map { frame in (0..<54).map { unsafe frames[frame].bytes[$0] } }
        for i in 0..<Self.count { for octet in 0..<54 { unsafe frames[i].bytes[octet] = 0 } }
        _ = twinEncode(1)
        let theirs = (0..<Self.count).map { frame in (0..<54).map { unsafe frames[frame].bytes[$0] } }
        precondition(ours == theirs, "\(ours[0])\n\(theirs[0])")
    }
}

@inline(never)
private func parseFrames(
    _ frames: UnsafePointer<frame_bytes>, _ count: Int, _ flows: UnsafeMutablePointer<FlowHeaders>,
    _ rtps: UnsafeMutablePointer<RTPHeader>, _ repeats: Int
) -> Bool {
    for _ in 0..<repeats {
        for i in 0..<count {
            let frame = unsafe RawSpan(_unsafeStart: frames[i].bytes, byteCount: frames[i].size)
            do throws(ParseFailure) {
                let flow = try FlowHeaders(checking: frame)
                unsafe rtps[i] = try RTPHeader(checking: flow.payload(of: frame))
                unsafe flows[i] = flow
            } catch {
                return false
            }
        }
    }
    return true
}

@inline(never)
private func encodeFrames(
    _ frames: UnsafePointer<frame_bytes>, _ count: Int, _ headers: UnsafePointer<UDPEncapsulation>,
    _ rtps: UnsafePointer<RTPHeader>, _ repeats: Int
) -> Bool {
    for _ in 0..<repeats {
        for i in 0..<count {
            var frame = unsafe MutableRawSpan(_unsafeStart: frames[i].bytes, byteCount: frames[i].size)
            let start = unsafe headers[i].byteCount
            guard frame.byteCount >= start else { return false }
            do throws(EncodeFailure) {
                unsafe try headers[i].encode(
                    into: &frame, payloadLength: frame.byteCount - start, udpChecksum: 0)
                let bytes = unsafe frames[i].bytes + start
                var payload = unsafe MutableRawSpan(_unsafeStart: bytes, byteCount: frames[i].size - start)
                unsafe try rtps[i].encode(into: &payload)
            } catch {
                return false
            }
        }
    }
    return true
}
