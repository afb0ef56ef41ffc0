import ApusPorts
import ApusRings
import Glibc
import Testing

@Suite("Broken and hostile capture files")
struct CaptureErrorTests {
    let folder = TemporaryFolder()

    func refusal(_ path: String) -> String {
        do throws(CaptureError) {
            _ = try CaptureDriver(reading: path)
            return "opened"
        } catch {
            return error.description
        }
    }

    @Test func `A refusal names the file and the cause`() {
        let missing = folder.file("missing.pcap")
        #expect(refusal(missing) == "\"\(missing)\" cannot be read as a capture: No such file or directory")
        let text = folder.file("text.pcap", holding: Array("these are not the packets you look for".utf8))
        #expect(refusal(text) == "\"\(text)\" cannot be read as a capture: unknown file format")
        let short = folder.file("short.pcap", holding: [0xd4, 0xc3, 0xb2])
        #expect(refusal(short).hasPrefix("\"\(short)\" cannot be read as a capture: truncated dump file"))
        let cooked = folder.file("any.pcap", holding: classicCapture(linkType: 113, packets: []))
        #expect(
            refusal(cooked) == """
                "\(cooked)" holds LINUX_SLL packets; only Ethernet captures can be played \
                (capture on an interface rather than on "any")
                """)
        #expect(refusal(folder.path).contains("cannot be read as a capture"))
    }

    @Test func `A file that can't be written is refused before anything moves`() throws {
        #expect(throws: CaptureError.unknownFormat(path: "capture.txt")) {
            _ = try CaptureDriver(writing: "capture.txt")
        }
        let path = folder.file("no/such/folder.pcap")
        #expect(throws: CaptureError.cannotWrite(path: path, cause: "No such file or directory")) {
            _ = try CaptureDriver(writing: path)
        }
    }

    @Test func `A file is not written while it is read, by whatever name`() throws {
        let bytes = classicCapture(packets: CaptureTests.packets)
        let file = folder.file("precious.pcap", holding: bytes)
        let (symbolic, hard) = (folder.file("symbolic.pcapng"), folder.file("hard.pcap"))
        #expect(unsafe symlink(file, symbolic) == 0)
        #expect(unsafe link(file, hard) == 0)
        for (input, output) in [(file, file), (file, symbolic), (symbolic, file), (file, hard)] {
            let refusal = CaptureError.sameFile(reading: input, writing: output)
            #expect(throws: refusal) { _ = try CaptureDriver(reading: input, writing: output) }
            #expect(contents(file) == bytes)
            #expect(refusal.description.hasPrefix("\"\(output)\" cannot be written while it is read"))
        }
        _ = try CaptureDriver(reading: file, writing: folder.file("other.pcap"))
    }

    @Test func `What is no file is written like one, or refused`() throws {
        let input = folder.file("in.pcap", holding: classicCapture(packets: CaptureTests.packets))
        let directory = folder.file("directory.pcap")
        #expect(unsafe mkdir(directory, 0o700) == 0)
        #expect(throws: CaptureError.cannotWrite(path: directory, cause: "Is a directory")) {
            _ = try CaptureDriver(reading: input, writing: directory)
        }
        let device = folder.file("device.pcap")
        #expect(unsafe symlink("/dev/null", device) == 0)
        var port = Port(try CaptureDriver(reading: input, writing: device))
        var burst = Burst()
        while port.receive(into: &burst) > 0 { port.transmit(&burst) }
        #expect(port.statistics().sent == 200 && port.driver.failure == nil)
    }

    @Test func `A file that ends in the middle of a packet gives those before, and says so`() throws {
        let whole = classicCapture(packets: CaptureTests.packets)
        for cut in [1, 30, 60, 200, 258, 259, 270] {
            let path = folder.file("cut.pcap", holding: Array(whole.dropLast(cut)))
            var port = Port(try CaptureDriver(reading: path, rounds: nil))
            var count = 0
            var burst = Burst()
            while port.receive(into: &burst) > 0 {
                count += burst.count
                burst.removeAll()
            }
            #expect(count == 199)
            #expect(port.driver.isFinished == true)
            guard case .broken(path, packet: 199, cause: _) = port.driver.failure else {
                Issue.record("\(String(describing: port.driver.failure))")
                continue
            }
            #expect(port.driver.failure!.description.hasPrefix("\"\(path)\" is broken after packet 199: "))
        }
    }

    @Test func `Two thousand damaged files are read to some end without a crash`() throws {
        let classic = classicCapture(packets: Array(CaptureTests.packets.prefix(5)))
        let next = folder.file("good.pcapng")
        do {
            let input = folder.file("good.pcap", holding: classic)
            var port = Port(try CaptureDriver(reading: input, writing: next))
            var burst = Burst()
            port.receive(into: &burst)
            port.transmit(&burst)
        }
        var random = Seeded(seed: 20)
        let memory = try FrameMemory(frames: 2000 * 16, hugePages: .never)
        var (opened, received) = (0, 0)
        for original in [classic, contents(next)] {
            for _ in 0..<1000 {
                var bytes = original
                // Mostly in the headers, where it hurts.
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let place = Int.random(
                        in: 0..<(Bool.random(using: &random) ? 120 : bytes.count), using: &random)
                    bytes[place] =
                        Bool.random(using: &random)
                        ? .random(in: 0...255, using: &random)
                        : [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random)!
                }
                if Int.random(in: 0..<10, using: &random) == 0 {
                    bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
                }
                let path = folder.file("damaged", holding: bytes)
                let pool = try memory.makePool(frames: 16)
                guard let driver = try? CaptureDriver(reading: path, rounds: 2, pool: pool) else { continue }
                opened += 1
                var port = Port(driver)
                var burst = Burst()
                while port.receive(into: &burst) > 0 {
                    received += burst.count
                    burst.removeAll()
                }
                #expect(port.driver.isFinished && port.driver.pool.free == 16)
            }
        }
        #expect(opened > 500 && received > 1000)
    }
}

/// A generator whose whole future is its seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // A full-period linear congruential generator, its weak low bits folded under the high ones.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }
}
