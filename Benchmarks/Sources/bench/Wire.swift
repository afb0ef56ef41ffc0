import ApusBench
import CTwins

// Parsing and writing the headers of RTP packets in Ethernet frames. Apus' loops are
// Sources/ApusBench/Subjects/WireFrames.swift, the twin is Twins/wire.c with Twins/flow.h.

/// The suite `wire`.
func wire() -> [Comparison] {
    let besideC = WireSubject.all.map { wire in
        Comparison(wire.subject.name, per: "packet") {
            let frames = WireFrames(payload: wire.size)
            let twin = Twin(frames)
            switch wire.work {
            case .parse: twin.checkParsing()
            case .encode: twin.checkEncoding()
            }
            return (
                Competitor("Apus", run: wire.run(on: frames)),
                Competitor("C", run: wire.work == .parse ? twin.parse : twin.encode)
            )
        }
    }
    // Whether the size makes a difference: the payload is not read.
    let sizes = WireSubject.sizes
    let besideSmall = WireSubject.Work.allCases.map { work in
        func competitor(_ name: String, _ size: Int) -> Competitor {
            Competitor(name, run: WireSubject(work: work, size: size).run(on: WireFrames(payload: size)))
        }
        return Comparison(
            "wire/\(work.rawValue)-same-at-each-size", per: "packet",
            apus: { competitor("Apus", sizes.max()!) }, peer: { competitor("64 octets", sizes.min()!) })
    }
    return besideC + besideSmall
}

/// The twin on the same frames.
@safe private final class Twin {
    private let ours: WireFrames
    private let frames: UnsafeMutablePointer<frame_bytes>
    private let headers: UnsafeMutablePointer<encapsulation>
    private let flows: UnsafeMutablePointer<flow>
    private let rtps: UnsafeMutablePointer<rtp>
    private static var count: Int { WireFrames.count }

    init(_ ours: WireFrames) {
        self.ours = ours
        unsafe frames = .allocate(capacity: Self.count)
        unsafe headers = .allocate(capacity: Self.count)
        unsafe flows = .allocate(capacity: Self.count)
        unsafe rtps = .allocate(capacity: Self.count)
        for i in 0..<Self.count {
            let (place, rtp) = unsafe (ours.frames[i], ours.rtps[i])
            unsafe (frames + i).initialize(to: frame_bytes(bytes: place.bytes, size: place.size))
            unsafe (headers + i).initialize(to: encapsulation(ours.headers[i]))
            unsafe (rtps + i).initialize(
                to: .init(
                    payload_type: rtp.payloadType, marker: 0, sequence: rtp.sequenceNumber,
                    timestamp: rtp.timestamp, ssrc: rtp.ssrc))
        }
    }

    deinit {
        unsafe frames.deallocate()
        unsafe headers.deallocate()
        unsafe flows.deallocate()
        unsafe rtps.deallocate()
    }

    func parse(_ repeats: Int) -> Int {
        precondition(unsafe wire_parse(frames, Self.count, flows, rtps, repeats), "a frame is refused")
        return repeats * Self.count
    }

    func encode(_ repeats: Int) -> Int {
        precondition(unsafe wire_encode(frames, Self.count, headers, rtps, repeats), "a frame is refused")
        return repeats * Self.count
    }

    /// That both find the same.
    func checkParsing() {
        (_, _) = (ours.parse(1), parse(1))
        for i in 0..<Self.count {
            let (found, theirs) = unsafe (ours.flows[i], flows[i])
            precondition(
                found.sourceLow == theirs.source_low && found.destinationLow == theirs.destination_low
                    && found.sourcePort == theirs.source_port
                    && found.destinationPort == theirs.destination_port
                    && found.transportOffset == theirs.transport_offset
                    && found.udpLength == theirs.udp_length
                    && found.hopLimit == theirs.hop_limit && found.flags.rawValue == theirs.flags)
            precondition(unsafe ours.rtps[i].sequenceNumber == rtps[i].sequence)
            precondition(unsafe ours.rtps[i].ssrc == rtps[i].ssrc)
        }
    }

    /// That both write the same.
    func checkEncoding() {
        _ = ours.encode(1)
        let written = headerBytes
        for i in 0..<Self.count {
            for octet in 0..<WireFrames.headerCount { unsafe frames[i].bytes[octet] = 0 }
        }
        _ = encode(1)
        precondition(written == headerBytes, "\(written[0])\n\(headerBytes[0])")
    }

    private var headerBytes: [[UInt8]] {
        (0..<Self.count).map { frame in
            (0..<WireFrames.headerCount).map { unsafe frames[frame].bytes[$0] }
        }
    }
}
