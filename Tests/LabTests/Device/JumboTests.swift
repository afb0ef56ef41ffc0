import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// A device on a link of long packets: of those that run over an interface of the kernel's, net_pcap takes them.
    @Suite(.requires(.root, .program("ping")))
    struct JumboTests {
        @Test func `pings of any length up to the MTU are answered`() throws {
            let lab = NetworkLab("dpdkjumbo")
            defer { lab.close() }
            let (sender, relay) = (try lab.namespace("sender"), try lab.namespace("relay"))
            try relay.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            try lab.link(
                sender, "e0", ["192.0.2.1/24", "2001:db8:1::1/64"], relay, "in0", [], offloads: false)
            try sender.run("ip", "link", "set", "e0", "mtu", "9000")
            try relay.run("ip", "link", "set", "in0", "mtu", "9000")
            let forward = try ApusForward(
                in: relay,
                configuration: """
                    dpdk: { hugepages: false, memory: 256 }, defaults: { ringSize: 512 },
                    interfaces: [
                        {
                            name: "net_pcap0,iface=in0", backend: "dpdk", mtu: 9000,
                            addresses: ["192.0.2.2/24", "2001:db8:1::2/64"],
                        },
                    ],
                    streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.77:6004"] }],
                    """)
            for (address, longest) in [("192.0.2.2", 8972), ("2001:db8:1::2", 8952)] {
                for size in [56, 1400, 1700, 1800, 2000, 4000, 8000, longest] {
                    try sender.run(
                        "ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s", "\(size)", address)
                }
            }
            let device = try #require(try forward.finish().devices.first)
            #expect(device.sent["echo_reply"] == 32, "\(device)")
            #expect(device.drops["not_sent"] == nil && device.drops["answer_queue_full"] == nil, "\(device)")
            expectConserved(device)
        }
    }
}
