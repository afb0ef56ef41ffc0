import ApusPorts
import ApusRings
import Glibc
import Testing

@Suite("Capture files as ports")
struct CaptureTests {
    let folder = TemporaryFolder()

    /// A received packet, copied out.
    struct Seen: Equatable {
        var timestamp: UInt64
        var bytes: [UInt8]
    }

    func receiveAll(_ port: inout Port<CaptureDriver>) -> [Seen] {
        var seen: [Seen] = []
        var burst = Burst()
        while port.receive(into: &burst) > 0 {
            while let packet = burst.popFirst() {
                seen.append(Seen(timestamp: packet.timestamp, bytes: packet.allBytes))
            }
        }
        return seen
    }

    static let packets: [RecordedPacket] = (0..<200).map { index in
        let bytes = (0..<60 + index).map { UInt8($0 & 255) }
        return (1_700_000_000 + UInt32(index), UInt32(index * 7), bytes, bytes.count)
    }

    static var seen: [Seen] {
        packets.map {
            Seen(timestamp: UInt64($0.seconds) * 1_000_000_000 + UInt64($0.micros) * 1000, bytes: $0.bytes)
        }
    }

    @Test func `All packets of a file are received, with their times`() throws {
        let path = folder.file("in.pcap", holding: classicCapture(packets: Self.packets))
        var port = Port(try CaptureDriver(reading: path))
        #expect(port.driver.isFinished == false)
        #expect(receiveAll(&port) == Self.seen)
        #expect(port.driver.isFinished && port.driver.failure == nil)
        let statistics = port.statistics()
        #expect(statistics.received == 200 && statistics.drops.total == 0)
        #expect(statistics.receivedBytes == UInt64(Self.packets.reduce(0) { $0 + $1.length }))
        #expect(port.driver.pool.free == port.driver.pool.capacity)
        #expect(port.grant.backend == .capture && port.grant.interface == path)
    }

    @Test(arguments: CaptureFormat.allCases)
    func `What is sent is in the file, as the tools read it, with times in nanoseconds`(
        format: CaptureFormat
    ) throws {
        let input = folder.file("in.pcap", holding: classicCapture(packets: Self.packets))
        let output = folder.file("out.\(format.rawValue)")
        do {
            var port = Port(try CaptureDriver(reading: input, writing: output))
            var burst = Burst()
            while port.receive(into: &burst) > 0 {
                burst.forEach { $0.timestamp += 123 }
                #expect(port.transmit(&burst) > 0)
            }
            #expect(port.statistics().sent == 200 && port.driver.failure == nil)
        }
        var again = Port(try CaptureDriver(reading: output))
        let expected = Self.seen.map { Seen(timestamp: $0.timestamp + 123, bytes: $0.bytes) }
        #expect(receiveAll(&again) == expected)
        let tshark = try #require(
            printed(
                by: "tshark", "-r", output, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"))
        let lines = tshark.split(separator: "\n").map(String.init)
        #expect(lines.count == 200)
        #expect(lines.first == "1700000000.000000123\t60" && lines.last == "1700000199.001393123\t259")
        let tcpdump = try #require(printed(by: "tcpdump", "-nr", output))
        // Further lines of a packet are indented.
        #expect(tcpdump.split(separator: "\n").count { !$0.hasPrefix("\t") } == 200)
    }

    @Test func `pcapng says which way a packet went, and on which interface`() throws {
        let path = folder.file("ways.pcapng")
        do {
            let pair = try MemoryPair(frames: 8, hugePages: .never)
            var here = Port(try CapturingDriver(pair.first.driver, writing: path))
            var there = pair.second
            #expect(here.send(1..<3) == 2)
            #expect(there.send(3..<4) == 1)
            #expect(here.receiveNumbers() == [3])
            here.flush()
        }
        let tshark = try #require(
            printed(
                by: "tshark", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e",
                "frame.packet_flags_direction"))
        #expect(tshark == "memory:first\t0x00000002\nmemory:first\t0x00000002\nmemory:first\t0x00000001\n")
    }

    @Test func `Of a burst sent, a capture has what the driver took, and that once`() throws {
        let path = folder.file("taken.pcap")
        do {
            let pair = try MemoryPair(frames: 100, ringCapacity: 8, hugePages: .never)
            var here = Port(try CapturingDriver(pair.first.driver, writing: path))
            var there = pair.second
            var burst = Burst()
            for number in 0..<30 as Range<UInt64> { burst.append(here.packet(number: number)!) }
            while !burst.isEmpty {
                #expect(here.transmit(&burst) > 0)
                #expect(here.transmit(&burst) == 0)
                _ = there.receiveNumbers()
            }
            #expect(here.driver.writer.count == 30)
        }
        var port = Port(try CaptureDriver(reading: path))
        #expect(port.receiveNumbers() == Array(0..<30))
    }

    @Test func `A file is read as many rounds as asked for`() throws {
        let path = folder.file("in.pcap", holding: classicCapture(packets: Array(Self.packets.prefix(3))))
        var thrice = Port(try CaptureDriver(reading: path, rounds: 3))
        #expect(receiveAll(&thrice) == (0..<3).flatMap { _ in Self.seen.prefix(3) })
        #expect(thrice.driver.isFinished == true)
        var endless = Port(try CaptureDriver(reading: path, rounds: nil))
        var burst = Burst()
        for _ in 0..<100 {
            #expect(endless.receive(into: &burst) == 64)
            burst.removeAll()
        }
        #expect(endless.driver.isFinished == false)
        let empty = folder.file("empty.pcap", holding: classicCapture(packets: []))
        var nothing = Port(try CaptureDriver(reading: empty, rounds: nil))
        #expect(nothing.receive(into: &burst) == 0 && nothing.driver.isFinished)
    }

    @Test func `With the recorded pace packets come at their distances`() throws {
        let packets = (0..<5).map {
            (UInt32(100), UInt32($0 * 100_000), Array(repeating: UInt8(0), count: 60), 60)
        }
        let path = folder.file("in.pcap", holding: classicCapture(packets: packets))
        // Five packets over 400 ms, ten times as fast.
        var port = Port(try CaptureDriver(reading: path, pacing: .recorded(speed: 10)))
        var burst = Burst()
        #expect(port.receive(into: &burst) == 1, "the first at once")
        #expect(port.driver.framesInside == 1 && !port.driver.isFinished)
        var clock = ContinuousClock.now
        let start = clock
        while !port.driver.isFinished {
            port.receive(into: &burst)
            usleep(200)
            clock = .now
            #expect(clock - start < .seconds(5))
            if clock - start > .seconds(5) { return }
        }
        #expect(burst.count == 5)
        #expect(clock - start >= .milliseconds(40))
    }

    @Test func `When frames run out, reading waits and nothing is lost`() throws {
        let path = folder.file("in.pcap", holding: classicCapture(packets: Self.packets))
        var port = Port(try CaptureDriver(reading: path, frames: 10))
        var burst = Burst()
        #expect(port.receive(into: &burst) == 10)
        #expect(port.receive(into: &burst) == 0 && !port.driver.isFinished)
        burst.removeAll()
        #expect(receiveAll(&port) == Array(Self.seen.dropFirst(10)))
        #expect(port.statistics().drops.total == 0)
    }

    @Test func `What was recorded short, and what is longer than a frame, is dropped by name`() throws {
        let short = (UInt32(1), UInt32(0), Array(repeating: UInt8(7), count: 60), 100)
        let long = (UInt32(1), UInt32(0), Array(repeating: UInt8(7), count: 1729), 1729)
        let fits = (UInt32(1), UInt32(0), Array(repeating: UInt8(7), count: 1728), 1728)
        let path = folder.file("in.pcap", holding: classicCapture(packets: [short, long, fits, long]))
        var port = Port(try CaptureDriver(reading: path))
        #expect(receiveAll(&port).map(\.bytes.count) == [1728])
        let drops = port.statistics().drops
        #expect(drops[.truncated] == 1 && drops[.tooLong] == 2 && drops.total == 3)
        var larger = Port(try CaptureDriver(reading: path, frameSize: .bytes4096))
        #expect(receiveAll(&larger).map(\.bytes.count) == [1729, 1728, 1729])
        let useless = folder.file("useless.pcap", holding: classicCapture(packets: [short]))
        var endless = Port(try CaptureDriver(reading: useless, rounds: nil))
        #expect(receiveAll(&endless).isEmpty && endless.driver.isFinished)
    }

    @Test func `A jumbo is written whole, and one longer than captures hold is cut`() throws {
        let path = folder.file("jumbo.pcapng")
        do {
            var port = Port(try CaptureDriver(writing: path, frames: 300))
            var burst = Burst()
            for segments in [6, 200] {
                var frame: Frame?
                for number in 0..<UInt64(segments) {
                    let segment = unsafe port.packet(number: number, count: 1500)!.takeFrame()
                    unsafe segment.header.pointee.next = frame?.header
                    unsafe frame = segment
                }
                burst.append(unsafe Packet(adopting: frame!))
            }
            #expect(port.transmit(&burst) == 2)
            #expect(port.statistics().sentBytes == 206 * 1500)
        }
        let lengths = try #require(
            printed(
                by: "tshark", "-r", path, "-T", "fields", "-e", "frame.len", "-e", "frame.cap_len"))
        #expect(lengths == "9000\t9000\n300000\t262144\n")
    }

    @Test func `Without a file to write to, what is sent is dropped and counted`() throws {
        let path = folder.file("in.pcap", holding: classicCapture(packets: Self.packets))
        var port = Port(try CaptureDriver(reading: path))
        #expect(port.send(0..<3) == 3)
        #expect(port.statistics().sent == 0 && port.statistics().drops[.sendRefused] == 3)
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    @Test func `A full disk ends the capture with a reason, not the program`() throws {
        var port = Port(try CaptureDriver(writing: folder.file("x.pcap"), frames: 64))
        #expect(port.driver.failure == nil)
        // The kernel's device for this error; its name has none of the endings.
        var writer = try CaptureWriter(path: "/dev/full", format: .pcap)
        for number in 0..<2000 as Range<UInt64> {
            writer.append(port.packet(number: number, count: 1500)!, timestamp: number)
        }
        #expect(writer.failure == .writeFailed(path: "/dev/full", cause: "No space left on device"))
    }

    @Test(arguments: CaptureFormat.allCases)
    func `A full disk is told of at the end, also by a capture that fits the buffer`(format: CaptureFormat)
        throws
    {
        let full = folder.file("full.\(format.rawValue)")
        #expect(unsafe symlink("/dev/full", full) == 0)
        let failure = CaptureError.writeFailed(path: full, cause: "No space left on device")

        #expect(throws: failure) { try CaptureWriter(path: full).finish() }
        #expect(throws: failure) {
            var port = Port(try CaptureDriver(writing: full, frames: 64))
            #expect(port.send(0..<3) == 3)
            try port.intoDriver().finish()
        }
        #expect(throws: failure) {
            let pair = try MemoryPair(frames: 8, hugePages: .never)
            var here = Port(try CapturingDriver(pair.first.intoDriver(), writing: full))
            #expect(here.send(0..<3) == 3)
            try here.intoDriver().finish()
        }
    }

    @Test func `A capture that was ended is in the file, and its port goes on`() throws {
        let path = folder.file("ended.pcap")
        let pair = try MemoryPair(frames: 8, hugePages: .never)
        var captured = Port(try CapturingDriver(pair.first.intoDriver(), writing: path))
        #expect(captured.send(0..<3) == 3)
        var here = Port(try captured.intoDriver().finish())
        #expect(here.send(3..<4) == 1)
        var port = Port(try CaptureDriver(reading: path))
        #expect(port.receiveNumbers() == [0, 1, 2])
        try port.intoDriver().finish()
    }
}

extension Packet {
    /// A copy of all bytes in all segments.
    var allBytes: [UInt8] {
        var all: [UInt8] = []
        forEachSegment { segment in unsafe segment.withUnsafeBytes { unsafe all += $0 } }
        return all
    }
}
