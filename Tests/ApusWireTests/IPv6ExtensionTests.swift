import ApusWire
import Testing

@Suite struct IPv6ExtensionTests {
    private func headers(_ extensions: String, first: UInt8) throws -> FlowHeaders {
        let octets = Handmade.frame(ipv6: Handmade.ipv6(hex(extensions) + Handmade.udp([1, 2]), next: first))
        return try FlowHeaders(checking: octets.raw)
    }

    private func refused(_ extensions: String, first: UInt8) -> ParseFailure? {
        do {
            _ = try headers(extensions, first: first)
            return nil
        } catch {
            return error as? ParseFailure
        }
    }

    @Test func `hop-by-hop, destination options, routing and fragment are walked over`() throws {
        let hopByHop = "3c00 0104 00000000"
        let destination = "2b01 010c 00000000 00000000 00000000"
        let routing = "2c00 0400 00000000"
        let fragment = "1100 0000 00000007"
        let chain = [hopByHop, destination, routing, fragment].joined()
        let flow = try headers(chain, first: 0)
        #expect(flow.hasOptions)
        #expect(flow.transportOffset == 14 + 40 + 8 + 16 + 8 + 8)
        #expect(flow.payloadLength == 2)
    }

    @Test func `an authentication header, which nobody has verified, ends the walk as over IPv4`() {
        let authentication = "1104 0000 00000001 00000002 01020304 05060708 090a0b0c"
        #expect(refused(authentication, first: 51) == .notUDP)
        #expect(refused("3300 0104 00000000" + authentication, first: 60) == .notUDP)
    }

    @Test func `eight extension headers are the most`() throws {
        let link = "3c00 0104 00000000"
        func chain(_ count: Int) -> String {
            String(repeating: link, count: count - 1) + "1100 0104 00000000"
        }
        #expect(try headers(chain(8), first: 60).payloadLength == 2)
        #expect(refused(chain(9), first: 60) == .tooManyExtensionHeaders)
    }

    @Test func `a hop-by-hop header anywhere but first is refused`() {
        #expect(refused("0000 0104 00000000 1100 0104 00000000", first: 60) == .badExtensionHeader)
    }

    @Test func `a header longer than the packet is refused`() {
        #expect(refused("1108 0104 00000000", first: 60) == .badExtensionHeader)
        #expect(refused("11ff 0104 00000000", first: 43) == .badExtensionHeader)
        let octets = Handmade.frame(ipv6: Handmade.ipv6([17, 0, 1, 4, 0, 0, 0], next: 60))
        #expect(refusal(octets) { _ = try FlowHeaders(checking: $0) } == .badExtensionHeader)
    }

    @Test func `a source route with segments left is refused, a finished one is not`() {
        #expect(refused("1100 0001 00000000", first: 43) == .sourceRoute)
        #expect(refused("1100 0000 00000000", first: 43) == nil)
    }

    @Test func `options are skipped or refused as their type asks`() {
        // Router alert, then a pad of two octets.
        #expect(refused("1100 0502 0000 0100", first: 0) == nil)
        // Six single octets of padding.
        #expect(refused("1100 000000000000", first: 0) == nil)
        #expect(refused("1100 8002 0000 0100", first: 0) == .unrecognizedIPv6Option)
        #expect(refused("1100 c204 00010000", first: 0) == .unrecognizedIPv6Option)
        #expect(refused("1100 4002 0000 0100", first: 60) == .unrecognizedIPv6Option)
        #expect(refused("1100 0105 00000000", first: 0) == .badExtensionHeader)
        #expect(refused("1100 0103 00000001", first: 0) == .badExtensionHeader)
    }

    @Test func `a header made of single octets of padding costs no more than 32 of them`() {
        #expect(refused("1104" + String(repeating: "00", count: 38), first: 60) == .badExtensionHeader)
    }

    @Test func `the walk says where a later fragment ends it`() throws {
        // What stands behind the fragment header is the middle of something, not the options it begins with.
        let octets = Handmade.ipv6(hex("2c00 0104 00000000 3c00 0051 0000abcd 11ff2233 44556677"), next: 0)
        let upper = try IPv6View(checking: octets.raw).upperLayer()
        #expect(upper.isFragment)
        #expect(upper.fragmentOffset == 80)
        #expect(upper.identification == 0xabcd)
        #expect(upper.protocolNumber == .destinationOptions)
        #expect(upper.offset == 56)
        #expect(upper.extensionCount == 2)
    }
}
