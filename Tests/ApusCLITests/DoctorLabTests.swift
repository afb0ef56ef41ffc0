import Foundation
import NetworkLab
import Testing

/// `apus doctor` in namespaces, with what a killed process leaves.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct DoctorLabTests {
    private func report(
        _ space: Namespace, _ words: String..., prefix: [String] = [], code: Int32 = 0
    ) throws -> [String: Any] {
        let run = try runApus(in: space, ["doctor", "--json"] + words, prefix: prefix)
        #expect(run.code == .exited(code), "\(run.errors)")
        return try object(run.output)
    }

    private func interface(_ report: [String: Any], _ name: String) throws -> [String: Any] {
        let all = try #require(report["interfaces"] as? [[String: Any]])
        return try #require(all.first { $0["name"] as? String == name })
    }

    private func verdicts(_ interface: [String: Any]) -> [String: String] {
        let backends = interface["backends"] as? [[String: Any]] ?? []
        return backends.reduce(into: [:]) { $0[$1["backend"] as? String ?? ""] = $1["verdict"] as? String }
    }

    private func reasons(_ interface: [String: Any], _ backend: String) -> [[String: Any]] {
        let backends = interface["backends"] as? [[String: Any]] ?? []
        return backends.first { $0["backend"] as? String == backend }?["reasons"] as? [[String: Any]] ?? []
    }

    private func leftovers(_ report: [String: Any]) -> [[String: Any]] {
        report["leftovers"] as? [[String: Any]] ?? []
    }

    @Test(.requires(.root)) func `a veth is seen as ethtool and ip see it, and nothing is changed`() throws {
        let net = try Pair("doctor", queues: 3)
        defer { net.close() }
        let before = try net.a.run("ip", "-d", "link", "show", "va").standardOutput
        let all = try report(net.a)
        #expect(
            (all["interfaces"] as? [[String: Any]])?.compactMap { $0["name"] as? String } == ["lo", "va"])
        #expect(leftovers(all).isEmpty)
        let va = try interface(report(net.a, "va"), "va")
        #expect(
            va["driver"] as? String == "veth" && va["state"] as? String == "up" && va["mtu"] as? Int == 1500)
        #expect(va["receiveQueues"] as? Int == 3 && va["transmitQueues"] as? Int == 3)
        let mac = try net.a.run("cat", "/sys/class/net/va/address").standardOutput
        #expect(va["mac"] as? String == String(mac.dropLast()))
        #expect(verdicts(va)["xdp-native-zero-copy"] == "impossible" && verdicts(va)["packet"] == "ok")
        // A veth keeps VLAN tags beside the frame, until that is turned off.
        let others = reasons(va, "xdp-native").filter {
            $0["remedy"] as? String != "ethtool -K va rxvlan off"
        }
        #expect(reasons(va, "xdp-native").count == others.count + 1)
        let remedy = "ethtool -K va rxvlan off"
        #expect(try runApus(in: net.a, ["doctor", "va"]).output.contains("→ \(remedy)\n"))
        // What DPDK would make over it is nothing yet.
        let device = try runApus(in: net.a, ["doctor", "net_af_packet0,iface=va"])
        #expect(device.code == .exited(66))
        #expect(
            device.errors == """
                apus doctor: net_af_packet0,iface=va is a virtual device, which DPDK makes when it is opened: there is nothing \
                to look at before; look at the interface it is over: apus doctor va

                """)
        try net.a.run(remedy.split(separator: " ").map(String.init))
        let tagged = try interface(report(net.a, "va"), "va")
        #expect(reasons(tagged, "xdp-native").count == others.count)
        try net.a.run("ip", "link", "set", "va", "down")
        #expect(verdicts(try interface(report(net.a, "va"), "va"))["packet"] == "degraded")
        try net.a.run("ip", "link", "set", "va", "up")
        let after = try net.a.run("ip", "-d", "link", "show", "va").standardOutput
        #expect(after == before)
        let sent = try net.b.run("ip", "-s", "-j", "link", "show", "vb").standardOutput
        #expect(!sent.contains("prog"))
    }

    /// The dispatcher, by the word of xdp-tools.
    @Test(.requires(.root, .program("xdp-loader"))) func `it is right about the dispatcher`() throws {
        let net = try Pair("doctor-dispatcher")
        defer { net.close() }
        let host = try #require(report(net.b, "vb")["host"] as? [String: Any])
        let findings = try #require(host["findings"] as? [[String: Any]])
        let finding = try #require(findings.first { $0["subject"] as? String == "XDP dispatcher" })
        try net.b.run(
            "xdp-loader", "load", "vb", "/usr/lib/\(machine)-linux-gnu/bpf/xdpfilt_alw_all.o", "--prog-name",
            "xdpfilt_alw_all")
        let status = try net.b.run("xdp-loader", "status", "vb").standardOutput
        #expect(
            (finding["level"] as? String == "ok") == status.contains("xdp_dispatcher"), "\(finding) \(status)"
        )
    }

    private var machine: String {
        #if arch(arm64)
            "aarch64"
        #else
            "x86_64"
        #endif
    }

    @Test(.requires(.root), arguments: [SIGKILL])
    func `what a killed process leaves is listed, and removed when asked`(signal: Int32) throws {
        let net = try Pair("doctor-left")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcap")
        let holder = try net.b.start(
            [apusPath, "capture", "vb", "--write", file.path, "--backend", "xdp", "--port", "5004"])
        try holder.waitForLine(containing: "ready", timeout: .seconds(30))

        // As long as it lives it is no leftover, and --clean leaves it alone.
        let living = try report(net.b, "vb", "--clean")
        #expect(leftovers(living).isEmpty)
        let held = try interface(living, "vb")
        #expect((held["programs"] as? [[String: Any]])?.first?["pid"] as? Int == Int(holder.pid))
        #expect(verdicts(held)["xdp-native"] == "in-use" && holder.isRunning)
        let busy = try runApus(in: net.b, ["doctor", "vb"])
        #expect(
            busy.code == .exited(0) && busy.output.contains("in use: by the Apus process \(holder.pid);"),
            "\(busy.output)")

        holder.send(signal)
        #expect(holder.waitForExit() == .signaled(signal))
        let left = try report(net.b)
        #expect(leftovers(left).map { $0["pid"] as? Int } == [Int(holder.pid)])
        #expect(leftovers(left).map { $0["isRemoved"] as? Bool } == [false])
        #expect(verdicts(try interface(left, "vb"))["xdp-native"] == "degraded")
        let text = try runApus(in: net.b, ["doctor", "vb"]).output
        #expect(text.contains("leftovers\n  ! vb") && text.contains("→ apus doctor vb --clean\n"), "\(text)")
        #expect(try net.b.run("ip", "link", "show", "vb").standardOutput.contains("prog/xdp"))

        // Others' interfaces are not touched.
        #expect(leftovers(try report(net.b, "lo", "--clean")).isEmpty)
        #expect(leftovers(try report(net.b)).count == 1)

        let cleaned = try runApus(in: net.b, ["doctor", "--clean"])
        #expect(cleaned.code == .exited(0), "\(cleaned.errors)")
        #expect(cleaned.output.contains("removed"))
        #expect(leftovers(try report(net.b)).isEmpty)
        #expect(!(try net.b.run("ip", "link", "show", "vb").standardOutput.contains("xdp")))
        try net.a.run("ping", "-c", "1", "192.0.2.2")
    }

    @Test(.requires(.root, .program("setpriv")))
    func `an unprivileged user gets a report, and the commands that would mend it`() throws {
        let net = try Pair("doctor-user")
        defer { net.close() }
        let va = try interface(report(net.a, "va", prefix: unprivileged, code: 69), "va")
        #expect(Set(verdicts(va).values) == ["impossible"])
        let text = try runApus(in: net.a, ["doctor", "va"], prefix: unprivileged)
        #expect(text.code == .exited(69))
        #expect(
            text.errors
                == "apus doctor: no packets can be moved by va: each way is impossible, for the reasons above\n"
        )
        #expect(
            text.output.contains("→ setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock+ep /"))
        #expect(text.output.contains("→ setcap cap_net_raw+ep /"))
        let clean = try runApus(in: net.a, ["doctor", "--clean"], prefix: unprivileged)
        #expect(clean.code == .exited(77) && clean.output == "")
        #expect(
            clean.errors.contains("removing leftovers needs CAP_SYS_ADMIN, CAP_NET_ADMIN"), "\(clean.errors)")
    }
}
