import Foundation
import Glibc
import NetworkLab
import Testing

/// What a device has taken and has not sent after all, in a process and a namespace of its own.
@Suite("Refused packets", .serialized, .requires(.root), .timeLimit(.minutes(2)))
struct RefusedTests {
    @Test(arguments: [1, 2])
    func `What is taken while the interface is down is refused, by the queue that sent it`(queues: Int) throws
    {
        let lab = NetworkLab("refused")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        for space in [a, b] { try space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1") }
        try lab.link(a, "va", b, "vb")
        func arrived() throws -> Int {
            let text = try b.run("cat", "/sys/class/net/vb/statistics/rx_packets").standardOutput
            return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        // Fewer than its ring has room for, as what it could not send stays there.
        let port = try PortProcess(
            ["send", "net_af_packet0,iface=va,qpairs=\(queues)", "400", "--queues", "\(queues)"], in: a)
        try port.waitUntilReady()
        while try arrived() < 50 {}
        try a.run("ip", "link", "set", "va", "down")
        let count = try arrived()
        port.expectEnd()
        #expect(try arrived() == count && count < 400)
        #expect(port.number("sent") == count, "\(port.running.output)")
        #expect(port.report["drops"] as? [String: Int] == ["send_refused": 400 - count])
    }

    /// Each attempt to send a packet stands among the errors that these drivers count.
    @Test(arguments: ["net_af_xdp0,iface=va", "net_tap0,iface=tap"])
    func `What a device does not take at first, and then sends, is not refused`(device: String) throws {
        let lab = NetworkLab("late")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        for space in [a, b] { try space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1") }
        try lab.link(a, "va", b, "vb")
        let isTap = device.hasPrefix("net_tap")
        let (own, space, end) = isTap ? ("tap", a, "tap") : ("va", b, "vb")
        func arrived() throws -> Int {
            let text = try space.run("cat", "/sys/class/net/\(end)/statistics/rx_packets").standardOutput
            return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let port = try PortProcess(["send", device, "900", "--descriptors", "64", "--frames", "8192"], in: a)
        try port.waitUntilReady()
        try a.run("ip", "link", "set", own, "up")
        while try arrived() < 20 {}
        // For some hundred packets, of which its ring has room for 64.
        try a.run("ip", "link", "set", own, "down")
        let before = try arrived()
        usleep(600_000)
        try a.run("ip", "link", "set", own, "up")
        #expect(
            port.running.waitForExit(within: .seconds(40)) == .exited(0),
            "\(port.running.output)\(port.running.errors)")
        // It sends one every 5 ms, so that there is time to take the link down whatever else the machine does.
        #expect(before < 700 && port.number("sent") == 900, "\(port.running.output)")
        #expect(port.report["drops"] as? [String: Int] == [:])
    }
}
