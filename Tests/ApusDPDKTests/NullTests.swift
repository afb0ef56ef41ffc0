import ApusPorts
import ApusRings
import Testing

@testable import ApusDPDK

extension DeviceTests {
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
