import ApusConfig
import ApusDevices
import ApusPorts
import ApusRings
import ApusWire
import Testing

@testable import ApusRuntime

/// The host of a device, with the test in place of its workers.
@Suite struct DeviceHostTests {
    private static let mac = MACAddress("02:00:00:00:00:02")!

    private struct Rig: ~Copyable {
        let host: DeviceHost
        var workers: FixedArray<DeviceSide.WorkerEnd>
        var pool: FramePool

        init(workers count: Int = 1, mtu: Int = 1500) throws {
            let bell = try Bell(isAwaited: true)
            let sides = try (0..<count).map { _ in try DeviceSide(bell: bell) }
            let memory = try FrameMemory(frames: 2048, hugePages: .never)
            let configuration = DPDKPortConfiguration(
                device: try DPDKDevice("net_null0"), addresses: [AddressPrefix("192.0.2.2/24")!], mtu: mtu)
            let host = try DeviceHost(
                "device", number: 0, configuration, mac: DeviceHostTests.mac, mtu: mtu, node: nil,
                ends: FixedArray(count: count) { sides[$0].takeControl() })
            let pool = try memory.makePool(frames: 2048)
            self.host = host
            self.pool = pool
            workers = FixedArray(count: count) { sides[$0].takeWorker() }
        }

        /// Has a worker hand over a frame.
        mutating func give(_ octets: [UInt8], by worker: Int = 0) {
            guard let packet = pool.makePacket(of: unsafe octets.span.bytes) else { fatalError("no frame") }
            _ = workers[worker].toControl.enqueue(packet)
        }

        /// What the host has had sent by a worker.
        mutating func taken(by worker: Int = 0) -> [[UInt8]] {
            var frames: [[UInt8]] = []
            while let packet = workers[worker].toSend.dequeue() {
                var octets = [UInt8](repeating: 0, count: packet.totalCount)
                _ = packet.copyBytes(to: &octets)
                frames.append(octets)
            }
            return frames
        }
    }

    /// Ethernet and ARP (RFC 826): a request of 192.0.2.1's for 192.0.2.2.
    private static let request: [UInt8] =
        [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
        + [2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]

    /// Whether a frame is a question for an address of the network's that ends so.
    private static func isQuestion(_ frame: [UInt8], for last: UInt8) -> Bool {
        frame[12..<14] == [8, 6] && frame[21] == 1 && frame[38..<42] == [192, 0, 2, last]
    }

    @Test(arguments: [1, 4])
    func `a flood of requests that nobody takes the answers to leaves room for own questions`(
        workers: Int
    ) throws {
        var rig = try Rig(workers: workers)
        for _ in 0..<3 {
            for worker in 0..<workers {
                for _ in 0..<DeviceSide.room { rig.give(Self.request, by: worker) }
            }
            _ = rig.host.attend()
        }
        for last in 10..<60 as Range<UInt8> {
            #expect(rig.host.resolve(.v4(IPv4Address(bits: 0xc000_0200 | UInt32(last)))) == .pending)
        }
        _ = rig.host.attend()
        let sent = rig.taken()
        for last in 10..<60 as Range<UInt8> {
            #expect(sent.count { Self.isQuestion($0, for: last) } == 1, "\(sent.count)")
        }
        // All others are counted.
        var all = sent.count
        for worker in 1..<max(workers, 1) { all += rig.taken(by: worker).count }
        let drops = rig.host.figures.drops
        let asked = 3 * DeviceSide.room * workers
        let replies = rig.host.figures.sent["arp_reply"] ?? 0
        #expect(UInt64(asked) == replies + (drops["rate_limited"] ?? 0))
        #expect(UInt64(all) == rig.host.figures.sent.values.reduce(0, +) - (drops["answer_queue_full"] ?? 0))
        rig.host.stop()
    }

    @Test(arguments: [0, 56, 1472, 1473, 4000, 8000, 8972])
    func `an echo request in several frames is answered in as many as it takes`(count: Int) throws {
        var rig = try Rig(mtu: 9000)
        let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        rig.give(Self.echo(8, from: [192, 0, 2, 1], to: [192, 0, 2, 2], mac: [2, 0, 0, 0, 0, 2], data))
        _ = rig.host.attend()
        let answers = rig.taken().filter { $0.count > 34 && $0[23] == 1 }
        #expect(answers.count == 1)
        let answer = try #require(answers.first)
        #expect(answer.count == max(60, 42 + count))
        #expect(answer[34] == 0 && Array(answer[42..<42 + count]) == data)
    }

    /// An echo message (RFC 792) in IPv4 and Ethernet.
    private static func echo(
        _ type: UInt8, from: [UInt8], to: [UInt8], mac: [UInt8], _ data: [UInt8]
    ) -> [UInt8] {
        func checked(_ octets: [UInt8], at place: Int) -> [UInt8] {
            var (sum, octets): (UInt32, [UInt8]) = (0, octets)
            for position in stride(from: 0, to: octets.count, by: 2) {
                sum += UInt32(octets[position]) << 8
                if position + 1 < octets.count { sum += UInt32(octets[position + 1]) }
            }
            while sum >> 16 != 0 { sum = (sum & 0xffff) + (sum >> 16) }
            octets[place] = ~UInt8(truncatingIfNeeded: sum >> 8)
            octets[place + 1] = ~UInt8(truncatingIfNeeded: sum)
            return octets
        }
        let message = checked([type, 0, 0, 0, 0x12, 0x34, 0, 7] + data, at: 2)
        let length = 20 + message.count
        let header = checked(
            [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 1, 0, 0] + from + to, at: 10)
        return mac + [2, 0, 0, 0, 0, 1, 8, 0] + header + message
    }
}
