import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// What the status says of interfaces that the kernel does not have.
    @Suite(.requires(.root, .program("ping")))
    struct DeviceFigureTests {
        @Test(arguments: [DeviceScene.Kind.afPacket, .tap])
        func `messages, answers, drops and neighbors of a device are counted by name`(
            kind: DeviceScene.Kind
        ) throws {
            let scene = try DeviceScene("figures", kind)
            let forward = try scene.forward(
                streams: """
                    { listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] },
                    { listen: "192.0.2.2:5006", to: ["198.51.100.77:6006"] },
                    """)
            try scene.sender.run("ping", "-c", "5", "-i", "0.1", "-W", "3", "192.0.2.2")
            try scene.sender.run("ping", "-c", "3", "-i", "0.1", "-W", "3", "2001:db8:1::2")
            try scene.receiver.run("ping", "-c", "1", "-W", "3", "198.51.100.2")
            let status = try forward.wait(for: "neighbors found and not found", within: .seconds(15)) {
                let far = $0.devices.last
                return far?.neighborEvents["failed"] ?? 0 > 0 && far?.neighbors["reachable"] ?? 0 > 0
            }
            #expect(status.devices.map(\.interface) == ["\(kind.rawValue)0", "\(kind.rawValue)1"])
            let near = try #require(status.devices.first)
            #expect(near.sent["echo_reply"] == 8, "\(near)")
            #expect(near.received["icmpv4"] == 5 && near.received["arp"] ?? 0 > 0, "\(near)")
            #expect(near.received["neighbor_discovery"] ?? 0 > 0, "\(near)")
            #expect(near.sent["arp_reply"] ?? 0 > 0 && near.sent["advertisement"] ?? 0 > 0, "\(near)")
            let far = try #require(status.devices.last)
            #expect(far.sent["solicitation"] ?? 0 > 1, "\(far)")
            for device in status.devices { expectConserved(device) }
            let text = try NetworkLab.run([ApusProgram.path, "control", forward.controlSocket, "status"])
                .standardOutput
            #expect(text.contains("device \(near.interface) link "), "\(text)")
            try expectFacts(near, status.ports, scene, text)
            #expect(text.contains("device \(near.interface) received arp "), "\(text)")
            #expect(text.contains("device \(far.interface) neighbors "), "\(text)")
            let last = try forward.finish()
            #expect(last.devices.count == 2, "figures stay when it is stopped")
            for device in last.devices { expectConserved(device, isLast: true) }
        }

        /// What a device is and what was granted stands in the status, and in its text on lines of 100 columns.
        private func expectFacts(
            _ device: Status.Device, _ ports: [Status.Port], _ scene: DeviceScene, _ text: String
        ) throws {
            let known = try scene.sender.run("ip", "neighbor", "show", "192.0.2.2").standardOutput
            #expect(known.contains("lladdr \(device.mac) "), "\(known)")
            #expect(device.mtu == 1500)
            #expect(device.addresses.prefix(2) == ["192.0.2.2/24", "2001:db8:1::2/64"])
            #expect(device.addresses.count == 3 && device.addresses[2].hasPrefix("fe80::"), "\(device)")
            let lines = text.split(separator: "\n")
            let start = "device \(device.interface)"
            #expect(lines.contains { $0.hasPrefix("\(start) has \(device.mac), MTU 1500") }, "\(text)")
            #expect(
                lines.contains { $0.hasPrefix("\(start) addresses 192.0.2.2/24, 2001:db8:1::2/64, ") },
                "\(text)")
            let granted = lines.filter { $0.hasPrefix("\(start) granted ") }
            #expect(granted.count > 1 && granted.allSatisfy { $0.count <= 100 }, "\(text)")
            let port = try #require(ports.first { $0.interface == device.interface })
            for name in ["driver", "interrupts", "UDP checksum", "transmit checksum", "pages"] {
                let feature = try #require(port.features.first { $0.name == name })
                #expect(granted.contains { $0.contains(" \(name) \(feature.granted)") }, "\(name): \(text)")
            }
        }

        @Test func `a link that goes down is told of, and comes back by itself`() throws {
            let lab = NetworkLab("dpdklink")
            defer { lab.close() }
            let relay = try lab.namespace("relay")
            // DPDK gives both ends of a tap the same link-layer address, and so the kernel has the same link-local one.
            try relay.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            let forward = try ApusForward(
                in: relay,
                configuration: """
                    dpdk: { hugepages: false, memory: 256 }, defaults: { ringSize: 512 },
                    interfaces: [
                        { name: "net_tap0,iface=in0", backend: "dpdk", addresses: ["192.0.2.2/24"] },
                    ],
                    streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.77:6004"] }],
                    """)
            func wait(_ what: String, isUp: Bool) throws -> Status {
                try forward.wait(for: what) { $0.devices.first?.isLinkUp == isUp }
            }
            try relay.run("ip", "link", "set", "in0", "address", "02:00:00:00:00:01")
            try relay.run("ip", "link", "set", "in0", "up")
            let before = try wait("up", isUp: true)
            #expect(before.devices[0].linkMegabits == 10_000 && before.devices[0].isFullDuplex == true)
            for number in 1...2 as ClosedRange<UInt64> {
                try relay.run("ip", "link", "set", "in0", "down")
                let down = try wait("down", isUp: false)
                #expect(down.interfaces[0].reason == "its link is down, so no packets come or go")
                #expect(!down.interfaces[0].isReceiving && down.devices[0].linkMegabits == nil)
                let text = try NetworkLab.run([ApusProgram.path, "control", forward.controlSocket, "status"])
                    .standardOutput
                #expect(text.contains("interface net_tap0: its link is down"), "\(text)")
                try relay.run("ip", "link", "set", "in0", "up")
                let up = try wait("up again", isUp: true)
                #expect(up.interfaces[0].reason == nil)
                #expect(up.interfaces[0].isReceiving)
                #expect(up.devices[0].linkChanges == before.devices[0].linkChanges + 2 * number)
            }
            _ = try forward.finish()
            let log = forward.process.errors
            #expect(
                log.components(separatedBy: "net_tap0: its link is up again, 10 Gbit/s, full duplex").count
                    >= 3)
            #expect(log.components(separatedBy: "net_tap0: its link is down").count >= 3, "\(log)")
        }

        @Test func `a tap that was moved to another namespace, whose driver calls it down, is up`() throws {
            let scene = try DeviceScene("movedtap", .tap)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] }"#)
            try forward.wait(for: "called down", within: .seconds(4)) { $0.devices[0].isLinkUp == false }
            try scene.sender.run("ping", "-c", "15", "-i", "0.2", "-W", "3", "192.0.2.2")
            let status = try forward.wait(for: "up after all") { $0.devices[0].isLinkUp == true }
            #expect(status.interfaces[0].reason == nil && status.interfaces[0].isReceiving)
            _ = try forward.finish()
        }
    }
}

/// Every message to the host of a device, and from it, is somewhere.
///
/// - Parameter isLast: whether it has stopped, and nothing is under way between the host and the workers.
func expectConserved(
    _ device: Status.Device, isLast: Bool = false, _ location: SourceLocation = #_sourceLocation
) {
    let answers = ["arp_reply", "advertisement", "echo_reply", "defense"]
    let outside = ["host_queue_full", "other_host", "answer_queue_full", "not_sent", "stopped"]
    let sent = device.sent.filter { answers.contains($0.key) }.values.reduce(0, +)
    let dropped = device.drops.filter { !outside.contains($0.key) }.values.reduce(0, +)
    let received = device.received.values.reduce(0, +)
    #expect(
        received == sent + dropped + device.noted + device.reported, "\(device)", sourceLocation: location)
    guard isLast else { return }
    func drops(_ names: String...) -> UInt64 { names.reduce(0) { $0 + (device.drops[$1] ?? 0) } }
    let (wrote, stopped) = (device.sent.values.reduce(0, +), drops("stopped"))
    let (takenIn, takenOut) = (
        received + drops("other_host"), device.transmitted + drops("answer_queue_full", "not_sent")
    )
    #expect(
        device.handed >= takenIn && wrote >= takenOut
            && device.handed + wrote == takenIn + takenOut + stopped, "\(device)", sourceLocation: location)
}
