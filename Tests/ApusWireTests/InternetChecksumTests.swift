import ApusWire
import Seeds
import Testing

@Suite struct InternetChecksumTests {
    @Test func `the example of RFC 1071 section 3 sums to ddf2`() {
        let octets = hex("0001 f203 f4f5 f6f7")
        var checksum = InternetChecksum()
        checksum.add(octets.raw)
        #expect(checksum.folded == 0xddf2)
        #expect(checksum.value == 0x220d)
    }

    @Test func `a known IPv4 header has its known checksum`() {
        // From the worked example that many texts share: 192.168.0.1 to 192.168.0.199, UDP.
        let header = hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7")
        var checksum = InternetChecksum()
        checksum.add(header.raw)
        #expect(checksum.isValid)
        var zeroed = header
        (zeroed[10], zeroed[11]) = (0, 0)
        #expect(InternetChecksum.of(zeroed.raw) == 0xb861)
    }

    @Test func `every length and alignment gives what the RFC's loop gives`() {
        var random = Seeded(1)
        for length in 0...200 {
            for alignment in 0..<9 {
                let octets = random.octets(alignment + length)
                let span = octets.raw.extracting(alignment..<alignment + length)
                #expect(
                    InternetChecksum.of(span) == referenceChecksum(array(span)), "\(length) at \(alignment)")
            }
        }
        for length in [1400, 1499, 9000, 65535] {
            let octets = random.octets(length)
            #expect(InternetChecksum.of(octets.raw) == referenceChecksum(octets))
        }
    }

    @Test func `all ones, whose every addition carries, sum to zero`() {
        for length in stride(from: 2, through: 4096, by: 2) {
            let octets = [UInt8](repeating: 0xff, count: length)
            #expect(InternetChecksum.of(octets.raw) == 0)
        }
    }

    @Test func `pieces of even length sum as the whole does`() {
        var random = Seeded(2)
        for _ in 0..<500 {
            let octets = random.octets(Int(random.next() % 300))
            var checksum = InternetChecksum()
            var offset = 0
            while offset < octets.count {
                let length = min(octets.count - offset, 2 * Int(random.next() % 20))
                checksum.add(octets.raw.extracting(offset..<offset + length))
                offset += length
                if octets.count - offset == 1 {
                    checksum.add(octets.raw.extracting(offset..<octets.count))
                    break
                }
            }
            #expect(checksum.value == referenceChecksum(octets))
        }
    }

    @Test func `the example of RFC 1624 section 4 comes out as 0000, not as ffff`() {
        let (old, new): (UInt16, UInt16) = (0x5555, 0x3285)
        #expect(InternetChecksum.update(0xdd2f, replacing: old, with: new) == 0x0000)
    }

    @Test func `an update gives what a full computation gives, at every edge`() {
        var random = Seeded(3)
        for _ in 0..<20_000 {
            // A header is never all zero (RFC 1624 section 2): the first word sees to it.
            var octets = [0x45, 0] + random.octets(38)
            let before = referenceChecksum(octets)
            let offset = 2 + 2 * Int(random.next() % 3)
            switch random.next() % 3 {
            case 0:
                let (old, new) = (big16(octets, offset), random.number(UInt16.self))
                octets.replaceSubrange(offset..<offset + 2, with: big(new))
                #expect(
                    InternetChecksum.update(before, replacing: old, with: new) == referenceChecksum(octets))
            case 1:
                let old = UInt32(big16(octets, offset)) << 16 | UInt32(big16(octets, offset + 2))
                let new = random.number(UInt32.self)
                let words = big(UInt16(new >> 16)) + big(UInt16(new & 0xffff))
                octets.replaceSubrange(offset..<offset + 4, with: words)
                #expect(
                    InternetChecksum.update(before, replacing: old, with: new) == referenceChecksum(octets))
            default:
                let old = address(octets, offset)
                let new = IPv6Address(high: random.number(), low: random.number())
                for index in 0..<8 {
                    octets[offset + index] = UInt8(truncatingIfNeeded: new.high >> UInt64(56 - 8 * index))
                    octets[offset + 8 + index] = UInt8(truncatingIfNeeded: new.low >> UInt64(56 - 8 * index))
                }
                #expect(
                    InternetChecksum.update(before, replacing: old, with: new) == referenceChecksum(octets))
            }
        }
    }

    @Test func `the UDP form never gives zero`() {
        let octets: [UInt8] = [0xff, 0xff]
        var checksum = InternetChecksum()
        checksum.add(octets.raw)
        #expect(checksum.value == 0)
        #expect(checksum.udpValue == 0xffff)
    }

    private func big16(_ octets: [UInt8], _ offset: Int) -> UInt16 {
        UInt16(octets[offset]) << 8 | UInt16(octets[offset + 1])
    }

    private func address(_ octets: [UInt8], _ offset: Int) -> IPv6Address {
        let halves = [0, 8].map { start in
            octets[offset + start..<offset + start + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        return IPv6Address(high: halves[0], low: halves[1])
    }
}
