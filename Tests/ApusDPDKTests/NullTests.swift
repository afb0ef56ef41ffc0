import ApusPorts
import ApusRings
import Testing

@testable import ApusDPDK

@Suite(.serialized) struct NullTests {
    @Test func `A device that makes packets gives them, and takes them back`() throws {
        var options = EALOptions()
        options.hugePages = .never
        try EAL.start(options)
        let interface = try DPDKInterface("net_null0")
        print(interface)
        var port = try interface.open()
        print(port.grant)
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
        print(port.statistics())
    }
}
