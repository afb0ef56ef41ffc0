import ApusPorts
import ApusRings
import Glibc
import Synchronization
import Testing

@testable import ApusDPDK

/// A device that tells of packets by an eventfd(2), and what is at the other end of its cable: net_virtio_user and net_vhost.
private struct Telling: ~Copyable {
    /// They stay to the end of the process: the thread of DPDK's that has the interrupts may call net_virtio for a device that is
    /// being closed, and that ends in a crash (22.11.11).
    private static let interfaces = Mutex<[DPDKInterface]>([])

    var port: Port<DPDKDriver>
    var far: Port<DPDKDriver>

    init() throws {
        try DeviceTests.startDPDK()
        let socket = "/tmp/apus-\(getpid())-\(DeviceTests.name("vhost"))"
        let names = (DeviceTests.name("net_vhost"), DeviceTests.name("net_virtio_user"))
        let far = try DPDKInterface("\(names.0),iface=\(socket)", JoinedPorts.small)
        let near = try DPDKInterface("\(names.1),path=\(socket),queues=1", JoinedPorts.small)
        unsafe unlink(socket)
        Self.interfaces.withLock { $0 += [near, far] }
        try self.init(near.open(), far.open())
    }

    /// One whose cable a thread of net_vhost's has seen.
    static func joined() throws -> Telling {
        var one = try Telling()
        try one.send()
        for _ in 0..<2000 {
            if one.look() > 0 { break }
            usleep(1000)
        }
        return one
    }

    private init(_ port: consuming Port<DPDKDriver>, _ far: consuming Port<DPDKDriver>) {
        self.port = port
        self.far = far
    }

    /// A packet comes.
    mutating func send() throws {
        var burst = Burst()
        burst.append(try far.packet([UInt8](repeating: 2, count: 60)))
        for _ in 0..<2000 {
            if far.transmit(&burst) > 0 { return }
            usleep(1000)
        }
        Issue.record("\(far.grant.interface) takes nothing")
    }

    /// How many packets came.
    mutating func look() -> Int {
        var burst = Burst()
        return port.receive(into: &burst)
    }

    mutating func mayWait() -> Bool { port.driver.mayWait() }

    /// Whether who waits is woken, within a second if not at once.
    func isReadable(within milliseconds: Int32 = 1000) -> Bool {
        var one = pollfd(fd: port.driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&one, 1, milliseconds) == 1
    }
}

extension DeviceTests {
    /// As a worker of the forwarder rests: it asks both, and sleeps when both say that it may.
    @Test func `A thread with two devices that interrupt sleeps until a packet comes to either`() throws {
        var one = try Telling.joined()
        var other = try Telling.joined()
        func expectSleep(_ when: Comment) {
            var sleeps = 0
            for _ in 0..<10 {
                let came = one.look() + other.look()
                let mayWait = [one.mayWait(), other.mayWait()]
                let isWoken = one.isReadable(within: 0) || other.isReadable(within: 0)
                #expect(came == 0 && !isWoken)
                if mayWait == [true, true] { sleeps += 1 }
            }
            // After one more look it sleeps each time.
            #expect(sleeps == 9, when)
        }
        expectSleep("at first")
        for _ in 0..<3 {
            try other.send()
            #expect(other.isReadable() == true)
            #expect(one.look() == 0 && other.look() == 1)
            expectSleep("after a packet that woke it")

            // Another is found by the look before a sleep: now one was told to tell, and the other was not.
            try one.send()
            #expect(one.look() == 1 && other.look() == 0)
            _ = (one.mayWait(), other.mayWait())
            try other.send()
            #expect(one.look() == 0 && other.look() == 1)
            expectSleep("after a packet that did not")

            // One that comes between the look and the sleep is not slept on.
            #expect(one.look() == 0 && other.look() == 0)
            try one.send()
            let mayWait = [one.mayWait(), other.mayWait()]
            #expect(mayWait[0] == false || one.isReadable())
            #expect(one.look() == 1)
        }
    }

    @Test func `A port that records or spoils traffic has the device's frames, and waits as it does`() throws
    {
        func check<Driver: PortDriver & ~Copyable>(_ port: consuming Port<Driver>) {
            let count = port.makePacket()?.count
            #expect(count == 0, "the frames are DPDK's until one is made")
            var burst = Burst()
            port.receive(into: &burst)
            #expect(port.driver.mayWait() == false, "it is told to tell")
            port.receive(into: &burst)
            #expect(port.driver.mayWait() == true)
        }
        let path = "/tmp/apus-\(getpid())-waits.pcap"
        defer { unsafe unlink(path) }
        let one = try Telling()
        let other = try Telling()
        check(Port(try CapturingDriver(one.port.intoDriver(), writing: path)))
        check(Port(FaultyDriver(other.port.intoDriver(), seed: 1)))
    }
}
