import ApusWire
import Testing

@testable import ApusEndHost
@testable import ApusRuntime

@Suite struct NarrowPathsTests {
    private static let second: UInt64 = 1_000_000_000

    /// What a router says of a datagram from 192.0.2.2.
    private func report(
        to address: UInt32, _ source: UInt16 = 5004, _ destination: UInt16 = 6004,
        protocol number: UInt8 = 17,
        mtu: Int = 1400
    ) throws -> PathReport {
        func octets(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 0xff) } }
        let header: [UInt8] =
            [0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, number, 0, 0, 192, 0, 2, 2] + octets(address)
        let ports = octets(UInt32(source) << 16 | UInt32(destination))
        let packet = header + ports + [5, 200, 0, 0]
        let quoted = try QuotedPacket(checkingIPv4: unsafe packet.span.bytes)
        return PathReport(cause: .tooBig(mtu: mtu), packet: quoted, router: IPAddress("192.0.2.254")!)
    }

    private func flow(_ address: UInt32) -> NarrowPaths.Flow {
        .init(source: 5004, destination: Endpoint(.v4(IPv4Address(bits: address)), port: 6004))
    }

    @Test func `a flood of errors about packets that nobody sent pushes out no true one`() throws {
        var paths = NarrowPaths()
        let (one, other) = (0xc633_6401 as UInt32, 0xc633_6402 as UInt32)
        paths.use([flow(one), flow(other)])
        let isTrue = paths.learn(try report(to: one), at: 0)
        #expect(isTrue)
        for number in 0..<10_000 as Range<UInt32> {
            let isBelieved = paths.learn(try report(to: 0x0a00_0000 + number), at: Self.second)
            #expect(!isBelieved)
        }
        let isTrueToo = paths.learn(try report(to: other, mtu: 1300), at: Self.second)
        #expect(isTrueToo && paths.count(at: Self.second) == 2)
        #expect(paths.mtu(to: .v4(IPv4Address(bits: one)), at: Self.second) == 1400)
        #expect(paths.mtu(to: .v4(IPv4Address(bits: other)), at: Self.second) == 1300)
    }

    @Test func `an error has to quote the ports of a stream too`() throws {
        var paths = NarrowPaths()
        let address = 0xc633_6401 as UInt32
        paths.use([flow(address)])
        for wrong in [
            try report(to: address, 5005), try report(to: address, 5004, 6005),
            try report(to: address, protocol: 6),
        ] {
            let isBelieved = paths.learn(wrong, at: 0)
            #expect(!isBelieved)
        }
        #expect(paths.count(at: 0) == 0)
    }

    @Test func `a path that was said to be narrow is not made wider by what is said later, only by time`()
        throws
    {
        var paths = NarrowPaths()
        let address = 0xc633_6401 as UInt32
        paths.use([flow(address)])
        for (mtu, seen) in [(1400, 1400), (1300, 1300), (1400, 1300), (1499, 1300)] {
            let isBelieved = paths.learn(try report(to: address, mtu: mtu), at: 0)
            #expect(isBelieved)
            #expect(paths.mtu(to: .v4(IPv4Address(bits: address)), at: 0) == seen)
        }
        let (early, late) = (paths.expire(at: 599 * Self.second), paths.expire(at: 600 * Self.second))
        #expect(!early && late && paths.count(at: 0) == 0)
        _ = paths.learn(try report(to: address, mtu: 1400), at: 601 * Self.second)
        #expect(paths.mtu(to: .v4(IPv4Address(bits: address)), at: 601 * Self.second) == 1400)
    }

    @Test func `what is in no plan any more is forgotten, and the rest after ten minutes`() throws {
        var paths = NarrowPaths()
        let (one, other) = (0xc633_6401 as UInt32, 0xc633_6402 as UInt32)
        paths.use([flow(one), flow(other)])
        for address in [one, other] { _ = paths.learn(try report(to: address), at: 0) }
        paths.use([flow(one)])
        #expect(paths.count(at: 599 * Self.second) == 1)
        #expect(paths.mtu(to: .v4(IPv4Address(bits: other)), at: Self.second) == nil)
        #expect(paths.count(at: 600 * Self.second) == 0)
        #expect(paths.mtu(to: .v4(IPv4Address(bits: one)), at: 600 * Self.second) == nil)
    }
}
