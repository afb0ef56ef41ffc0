import Foundation
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
}
