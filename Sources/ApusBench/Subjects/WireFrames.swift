import ApusWire

/// Frames with RTP packets of one size and of as many flows, and where what is parsed of them goes.
///
/// What it gives out is for those that measure beside it, for as long as it is there.
@safe public final class WireFrames {
    /// How many frames there are.
    public static let count = 16
    /// The octets of all headers: Ethernet, IPv4, UDP, RTP.
    public static let headerCount = 54

    /// Where a frame lies.
    @safe public struct Place {
        /// Its first octet.
        public let bytes: UnsafeMutablePointer<UInt8>
        /// How many there are.
        public let size: Int
    }

    /// The frames.
    public let frames: UnsafeMutablePointer<Place>
    /// The headers to write in front of each RTP packet.
    public let headers: UnsafeMutablePointer<UDPEncapsulation>
    /// The RTP header of each.
    public let rtps: UnsafeMutablePointer<RTPHeader>
    /// What was parsed of each.
    public let flows: UnsafeMutablePointer<FlowHeaders>

    /// Frames with RTP packets of that many octets, their headers included.
    ///
    /// Two frames are an odd number of cache lines apart, as a multiple of 4096 octets would let them share one set of
    /// the cache.
    public init(payload size: Int) {
        let count = Self.count
        let stride = (size + 42 + 127) / 128 * 128 + 64
        let memory = UnsafeMutableRawPointer.allocate(byteCount: stride * count, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: stride * count)
        unsafe frames = .allocate(capacity: count)
        unsafe headers = .allocate(capacity: count)
        unsafe flows = .allocate(capacity: count)
        unsafe rtps = .allocate(capacity: count)
        for i in 0..<count {
            let bytes = unsafe (memory + i * stride).assumingMemoryBound(to: UInt8.self)
            unsafe (frames + i).initialize(to: Place(bytes: bytes, size: size + 42))
            let number = UInt16(i)
            unsafe (headers + i).initialize(
                to: UDPEncapsulation(
                    nextHop: MACAddress("02:00:00:00:00:02")!, interface: MACAddress("02:00:00:00:00:01")!,
                    source: IPv4Address("192.0.2.1")!, sourcePort: 5004 + number,
                    destination: IPv4Address("198.51.100.7")!, destinationPort: 6000 + number))
            unsafe (rtps + i).initialize(
                to: RTPHeader(
                    payloadType: 96, sequenceNumber: number, timestamp: 3000 * UInt32(i), ssrc: 0x4170_7573))
        }
        _ = encode(1)
    }

    deinit {
        unsafe frames[0].bytes.deallocate()
        unsafe frames.deallocate()
        unsafe headers.deallocate()
        unsafe flows.deallocate()
        unsafe rtps.deallocate()
    }

    /// Parses all frames that many times over, and returns how many frames that were.
    public func parse(_ repeats: Int) -> Int {
        let isRight = unsafe parseFrames(frames, Self.count, flows, rtps, repeats)
        precondition(isRight, "a frame is refused")  // Which would cost less.
        return repeats * Self.count
    }

    /// Writes all headers that many times over, and returns how many frames that were.
    public func encode(_ repeats: Int) -> Int {
        let isRight = unsafe encodeFrames(frames, Self.count, headers, rtps, repeats)
        precondition(isRight, "a frame is refused")
        return repeats * Self.count
    }
}

@inline(never)
private func parseFrames(
    _ frames: UnsafePointer<WireFrames.Place>, _ count: Int, _ flows: UnsafeMutablePointer<FlowHeaders>,
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
    _ frames: UnsafePointer<WireFrames.Place>, _ count: Int, _ headers: UnsafePointer<UDPEncapsulation>,
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
