import ApusPorts
import ApusRings
import Testing

@testable import ApusDPDK

extension DeviceTests {
    @Test func `A device says how its link is and what it counts, and takes another MTU or refuses it`()
        throws
    {
        var ports = try JoinedPorts()
        let interface = ports.first.driver.interface
        #expect(interface.link == DPDKLink(isUp: true, megabits: 10_000, isFullDuplex: true))
        let frames = [[UInt8]](repeating: [UInt8](repeating: 1, count: 60), count: 5)
        #expect(try ports.first.send(frames, to: &ports.second) == frames)
        let counted = interface.extendedStatistics()
        #expect(counted.contains(DPDKStatistic(name: "tx_good_packets", value: 5)))
        #expect(counted.contains(DPDKStatistic(name: "rx_good_packets", value: 0)))
        try interface.setPromiscuous(true)
        try interface.setPromiscuous(false)
        let refused = try #require(throws: DPDKError.self) { try interface.setMTU(1400) }
        #expect("\(refused)".contains(": setting the MTU to 1400: "))
        #expect(interface.mtu == 1500)
        // This one takes any.
        let null = try DPDKInterface(Self.name("net_null"), JoinedPorts.small)
        var port = try null.open()
        try null.setMTU(100)
        #expect(null.mtu == 100 && port.driver.maximumPacketSize == 122)
        var burst = Burst()
        burst.append(try port.packet([UInt8](repeating: 1, count: 123)))
        burst.append(try port.packet([UInt8](repeating: 1, count: 122)))
        #expect(port.transmit(&burst) == 2)
        #expect(port.statistics().sent == 1 && port.statistics().drops[.tooLong] == 1)
    }

    @Test func `A device that makes packets gives them, and takes them back`() throws {
        try Self.startDPDK()
        let interface = try DPDKInterface(Self.name("net_null"))
        #expect(interface.driver == "net_null" && interface.queueCount == 1)
        var port = try interface.open()
        #expect(port.grant.backend == .dpdk && port.grant.features[0].granted == "net_null")
        var burst = Burst()
        for _ in 0..<1000 {
            let received = port.receive(into: &burst)
            let sent = port.transmit(&burst)
            #expect(received > 0 && sent == received)
        }
        let isEmpty = burst.isEmpty
        #expect(isEmpty)
        let (inside, free, all) = (port.driver.framesInside, port.driver.pool.free, port.driver.pool.capacity)
        #expect(inside + free == all)
        let statistics = port.statistics()
        #expect(statistics.received == statistics.sent && statistics.received >= 32_000)
    }
}
