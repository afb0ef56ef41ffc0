import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What is said of DPDK's devices beside their names, by a forwarder that is ready.
    @Suite(.requires(.root))
    struct DeviceSettingTests {
        private func forward(in space: Namespace, _ device: String, dpdk: String = "") throws -> ApusForward {
            try ApusForward(
                in: space,
                configuration: """
                    dpdk: { hugepages: false, \(dpdk) }, defaults: { ringSize: 512 }, workers: { count: 2 },
                    interfaces: [{ name: "\(device)", backend: "dpdk", addresses: ["192.0.2.2/24"] }],
                    streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.77:6004"] }],
                    """)
        }

        @Test func `a device may be made of one that "vdevs" makes at the start`() throws {
            let lab = NetworkLab("vdevs")
            defer { lab.close() }
            let space = try lab.namespace("relay")
            let forward = try forward(
                in: space, "net_bonding0,mode=1,slave=net_tap7",
                dpdk: #"vdevs: ["net_tap7,iface=made7"], block: ["0000:99:00.0"]"#)
            try space.run("ip", "link", "show", "dev", "made7")
            // Its two ends have one address.
            try space.run("ip", "link", "set", "made7", "address", "02:00:00:00:00:99", "up")
            try space.run("ip", "address", "add", "192.0.2.1/24", "dev", "made7")
            try space.run("ping", "-c", "1", "-W", "5", "192.0.2.2")
            _ = try forward.finish()
        }

        @Test func `options take a device without huge pages`() throws {
            let lab = NetworkLab("nohuge")
            defer { lab.close() }
            let line =
                "-i net_tap0,iface=tap0 --hugepages never --address 192.0.2.2/24 -l 192.0.2.2:5004 -t 192.0.2.1:6004"
            let forward = try ApusForward(
                in: try lab.namespace("relay"), line.split(separator: " ").map(String.init))
            let status = try forward.status()
            let pages = status.ports.flatMap(\.features).filter { $0.name == "pages" }
            #expect(pages.first?.granted == "normal" && pages.first?.reason == nil, "\(pages)")
            _ = try forward.finish()
        }

        @Test func `a device without a link-layer address has one in software`() throws {
            let lab = NetworkLab("noaddress")
            defer { lab.close() }
            let forward = try forward(in: try lab.namespace("relay"), "net_ring0")
            let features = try forward.status().ports.flatMap(\.features)
            let address = try #require(features.first { $0.name == "link-layer address" })
            #expect(address.granted.wholeMatch(of: /02(:[0-9a-f]{2}){5} in software/) != nil)
            _ = try forward.finish()
        }

        @Test func `that AF_XDP has one of several queues is said at the start`() throws {
            let lab = NetworkLab("queues")
            defer { lab.close() }
            let (space, other) = (try lab.namespace("relay"), try lab.namespace("other"))
            try lab.link(space, "in0", [], other, "e0", [], queues: 2)
            let forward = try forward(in: space, "net_af_xdp0,iface=in0")
            let errors = forward.process.errors
            #expect(
                errors.contains(
                    "  queues of in0 1: packets of its other queues are the kernel's; `ethtool -L in0 rx 1` leaves it no other"
                ), "\(errors)")
            // One line for the device, though two workers share its queue.
            let lines = errors.split(separator: "\n").filter { $0.hasPrefix("net_af_xdp0: dpdk, ") }
            #expect(lines == ["net_af_xdp0: dpdk, net_af_xdp, 1 queue"])
            _ = try forward.finish()
        }
    }
}
