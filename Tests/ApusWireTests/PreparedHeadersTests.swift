import ApusWire
import Seeds
import Testing

@Suite struct PreparedHeadersTests {
    @Test func `what is written is what the encapsulation writes, whatever comes with the packet`() throws {
        var random = Seeded(21)
        for _ in 0..<5000 {
            var headers = UDPEncapsulationTests.random(&random)
            let prepared = PreparedHeaders(headers)
            #expect(prepared.byteCount == headers.byteCount && prepared.isIPv6 == headers.isIPv6)
            (headers.hopLimit, headers.trafficClass) = (random.number(), random.number())
            let most = headers.maximumPayloadLength
            #expect(prepared.maximumPayloadLength == most)
            let length = [0, 1, most, Int(random.next() % UInt64(most))][Int(random.next() % 4)]
            let checksum: UInt16 = random.number()
            var (one, other) = (
                [UInt8](repeating: 0xa5, count: headers.byteCount + 9),
                [UInt8](repeating: 0xa5, count: headers.byteCount + 9)
            )
            try write(&one) { try headers.encode(into: &$0, payloadLength: length, udpChecksum: checksum) }
            try write(&other) {
                try prepared.encode(
                    into: &$0, payloadLength: length, hopLimit: headers.hopLimit,
                    trafficClass: headers.trafficClass, udpChecksum: checksum)
            }
            #expect(one == other)
        }
    }

    @Test func `nothing is written without the room, or for a payload that is too long`() throws {
        var random = Seeded(22)
        for _ in 0..<100 {
            let prepared = PreparedHeaders(UDPEncapsulationTests.random(&random))
            for (room, length, failure) in [
                (prepared.byteCount - 1, 0, EncodeFailure.noRoom), (0, 0, .noRoom),
                (prepared.byteCount, prepared.maximumPayloadLength + 1, .payloadTooLong),
                (prepared.byteCount, -1, .payloadTooLong),
            ] {
                var octets = [UInt8](repeating: 0xa5, count: room)
                #expect(throws: failure) {
                    try write(&octets) {
                        try prepared.encode(
                            into: &$0, payloadLength: length, hopLimit: 1, trafficClass: 0, udpChecksum: 0)
                    }
                }
                #expect(octets.allSatisfy { $0 == 0xa5 })
            }
        }
    }

    @Test func `a checksum that is carried over is the one that replacing the headers gives`() throws {
        var random = Seeded(23)
        for _ in 0..<10_000 {
            let incoming = UDPEncapsulationTests.random(&random)
            let outgoing = UDPEncapsulationTests.random(&random)
            let payload = random.octets(Int(random.next() % 9))
            // Right, or any but none.
            let checksum: UInt16 =
                random.next() & 1 == 0 ? incoming.checksum(of: payload.raw) : random.number() | 1
            let octets = try UDPEncapsulationTests.frame(incoming, payload, checksum: checksum)
            let flow = try FlowHeaders(checking: octets.raw)
            let carried = PreparedHeaders(outgoing).checksum(carrying: flow.checksumRest)
            #expect(carried == outgoing.checksum(replacing: flow))
            var sum = PreparedHeaders(outgoing).checksumStart(payloadLength: payload.count)
            sum.add(payload.raw)
            #expect(sum.udpValue == outgoing.checksum(of: payload.raw))
        }
    }

    @Test func `a sum that comes out as zero is carried over as all ones`() throws {
        var random = Seeded(24)
        for _ in 0..<400 {
            let incoming = UDPEncapsulationTests.random(&random)
            let outgoing = UDPEncapsulationTests.random(&random)
            for zero in [incoming, outgoing] {
                var payload = random.octets(10) + [0, 0]
                let rest = zero.checksum(of: payload.raw)
                guard rest != 0xffff else { continue }
                payload.replaceSubrange(10..<12, with: big(rest))
                let checksum = incoming.checksum(of: payload.raw)
                let octets = try UDPEncapsulationTests.frame(incoming, payload, checksum: checksum)
                let flow = try FlowHeaders(checking: octets.raw)
                let carried = PreparedHeaders(outgoing).checksum(carrying: flow.checksumRest)
                #expect(carried == outgoing.checksum(of: payload.raw))
            }
        }
    }
}
