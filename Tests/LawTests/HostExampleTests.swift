import Glibc
import NetworkLab
import Testing

/// The example of a host is run as a newcomer runs it: over a tap, without huge pages.
@Suite("The host example", .enabled(if: Examples.hasDPDK, "needs libdpdk-dev"))
struct HostExampleTests {
    @Test(.requires(.root, .program("ping")))
    func `Answers ARP, pings and datagrams of a kernel over a tap, and no others`() throws {
        let lab = NetworkLab("host")
        defer { lab.close() }
        let space = try lab.namespace("both")
        // DPDK gives both ends one link-layer address at first, and so the kernel has the same link-local one.
        try space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        let host = try space.start([Examples.program("host"), "net_tap0,iface=tap0", "192.0.2.2/24"])
        defer { host.kill() }
        try host.waitForLine(containing: "net_tap0,iface=tap0 queue 0: dpdk, ", timeout: .seconds(20))
        try space.run("ip", "address", "add", "192.0.2.1/24", "dev", "tap0")
        try space.run("ip", "link", "set", "tap0", "address", "02:00:00:00:00:01", "up")
        try space.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "192.0.2.2")
        #expect(try space.run("ip", "neighbor", "show", "192.0.2.2").standardOutput.contains("lladdr"))
        let ask = "exec 3<>/dev/udp/192.0.2.2/7; printf question >&3; timeout 10 head -c 8 <&3"
        #expect(try space.run("bash", "-c", ask).standardOutput == "question")
        let other = "exec 3<>/dev/udp/192.0.2.2/9; printf question >&3; timeout 1 head -c 8 <&3 || true"
        #expect(try space.run("bash", "-c", other).standardOutput == "")
    }

    @Test(.requires(.root, .program("setpriv")))
    func `Says in a sentence what a user without privileges lacks`() throws {
        let lab = NetworkLab("nohost")
        defer { lab.close() }
        let host = try lab.namespace("one").start([
            "setpriv", "--bounding-set=-all", "--inh-caps=-all", Examples.program("host"),
            "net_tap0,iface=tap0", "192.0.2.2/24",
        ])
        #expect(host.waitForExit() == .exited(1))
        #expect(
            host.errors.hasPrefix(
                """
                host: net_tap0,iface=tap0: opening it takes CAP_NET_ADMIN, and this process lacks CAP_NET_ADMIN; run as root, \
                or once: setcap cap_net_admin+ep
                """), "\(host.errors)")
    }
}
