import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// A device that takes what it does not send.
    @Suite(.requires(.root, .program("ping")))
    struct RefusedMessageTests {
        @Test func `what a device has not sent is counted for streams and for the host apart`() throws {
            let scene = try DeviceScene("refused", .afPacket)
            let forward = try scene.forward(
                streams: """
                    { listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] },
                    { listen: "192.0.2.2:5006", to: ["198.51.100.77:6006"] },
                    """)
            // The relay knows the receiver then.
            try scene.receiver.run("ping", "-c", "3", "-i", "0.3", "-W", "3", "198.51.100.2")
            try forward.wait(for: "the next hop known") { $0.unreachable["198.51.100.1:6004"] == nil }
            let source = try UDPSocket(in: scene.sender, "192.0.2.1")
            func send(_ count: UInt8) throws {
                for number in 0..<count { try source.send([number], to: SocketAddress("192.0.2.2", 5004)) }
            }
            try send(3)
            try forward.wait(for: "three packets sent, and counted by the device") { status in
                status.ports.contains { $0.interface == "net_af_packet1" && $0.sent == 3 }
            }
            try scene.relay.run("ip", "link", "set", "out0", "down")
            try send(50)
            try forward.wait(for: "all packets taken") { $0.sent == 53 }
            // It asks for the neighbor that does not answer once a second.
            func asked() throws -> UInt64 { try forward.status().devices.last?.sent["solicitation"] ?? 0 }
            let before = try asked()
            try eventually("three questions") { try asked() >= before + 3 }
            let status = try forward.finish()
            let port = try #require(status.ports.first { $0.interface == "net_af_packet1" })
            #expect(port.sent == 3 && port.drops == ["send_refused": 50], "\(port)")
            let device = try #require(status.devices.last)
            #expect(device.drops["not_sent"] ?? 0 >= 2, "\(device)")
            expectConserved(device, isLast: true)
        }

        @Test func `messages wait for a device that has no room, and are not lost`() throws {
            let scene = try DeviceScene("full", .afPacket)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004", "198.51.100.77:6006"] }"#)
            try scene.receiver.run("ping", "-c", "3", "-i", "0.3", "-W", "3", "198.51.100.2")
            try forward.wait(for: "the next hop known") { $0.unreachable["198.51.100.1:6004"] == nil }
            try scene.relay.run("ip", "link", "set", "out0", "down")
            // What it can't send stays in its ring.
            let source = try UDPSocket(in: scene.sender, "192.0.2.1")
            try forward.wait(for: "no room in its ring") { status in
                for number in 0..<50 as Range<UInt8> {
                    _ = try? source.send([number], to: SocketAddress("192.0.2.2", 5004))
                }
                return status[drop: "transmit_ring_full"] > 0
            }
            usleep(600_000)
            func figures() throws -> (asked: UInt64, lost: UInt64) {
                let device = try #require(try forward.status().devices.last)
                return (device.sent["solicitation"] ?? 0, device.drops["not_sent"] ?? 0)
            }
            let before = try figures()
            try eventually("two questions") { try figures().asked >= before.asked + 2 }
            let now = try figures()
            #expect(now.lost == before.lost, "\(before) \(now)")
            let last = try #require(try forward.finish().devices.last)
            #expect(last.drops["not_sent"] ?? 0 >= now.lost + 2, "\(last)")
            expectConserved(last, isLast: true)
        }
    }
}
