import ApusConfig
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// What the routes and neighbors of the kernel make a forwarder do.
@Suite("Routes of a forwarder", .requires(.root), .timeLimit(.minutes(3)))
struct ForwarderRouteTests {
    typealias Line = ForwarderNetworkTests.Line

    /// One IP version: the words for `ip` and the addresses.
    struct Family: CustomTestStringConvertible {
        let option: String
        let (relay, screen): (String, String)
        /// The network between relay and screen, and a network and host beyond the screen.
        let (link, beyond, host): (String, String, String)
        /// Of IP and UDP, in bytes.
        let headers: Int

        static let v4 = Family(
            option: "-4", relay: "10.1.0.2", screen: "10.2.0.1", link: "10.2.0.0/24",
            beyond: "10.3.0.0/24", host: "10.3.0.1", headers: 28)
        static let v6 = Family(
            option: "-6", relay: "2001:db8:1::2", screen: "2001:db8:2::1", link: "2001:db8:2::/64",
            beyond: "2001:db8:3::/64", host: "2001:db8:3::1", headers: 48)
        static let both = [v4, v6]

        var testDescription: String { option }

        func endpoint(_ address: String, _ port: Int) -> String {
            address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        }

        func forwarder(to address: String) throws -> Forwarder {
            try Forwarder(
                ForwarderNetworkTests.configuration(
                    .packet, listen: endpoint(relay, 5004), to: [endpoint(address, 5006)]))
        }
    }

    private func attend(_ forwarder: Forwarder, until condition: () throws -> Bool) throws {
        try ForwarderNetworkTests.attend(forwarder, until: condition)
    }

    @Test(arguments: Family.both, ["dport 5006", "sport 5004"])
    func `A rule that looks at the UDP ports is followed, and its end too`(
        _ family: Family, _ selector: String
    ) throws {
        let line = try Line("portrule")
        defer { line.lab.close() }
        try line.screen.run(["ip", "address", "add", family.host, "dev", "scr0"])
        let rule =
            [family.option, "rule", "add", "ipproto", "udp"] + selector.split(separator: " ").map(String.init)
            + ["lookup", "100"]
        try line.relay.run([
            "ip", family.option, "route", "add", family.beyond, "via", family.screen, "table", "100",
        ])
        try line.relay.run(["ip"] + rule)
        let receiver = try line.watch(family.host, port: 5006)
        try line.send(100, to: family.relay)
        try line.relay.enter {
            let forwarder = try family.forwarder(to: family.host)
            try attend(forwarder) { forwarder.status().sent >= 3 }
            try line.relay.run(["ip"] + rule.map { $0 == "add" ? "delete" : $0 })
            try attend(forwarder) { forwarder.status().unreachable.count == 1 }
        }
        try receiver.waitForLine(containing: "got 100 \(family.relay)")
    }
}
