import ApusConfig
import Foundation
import NetworkLab
import Testing

@testable import ApusFilter

/// What a filter needs of capabilities: a process without root has them, or not.
@Suite(.requires(.root, .program("setpriv"))) struct PrivilegeTests {
    /// The program beside the test's own executable, where another user can reach it.
    private static func withHolder(_ body: (String) throws -> Void) throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = try NetworkLab.run(["mktemp", "--directory"]).standardOutput
            .trimmingCharacters(in: .newlines)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try NetworkLab.run(["chmod", "755", folder])
        let source = URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "FilterHolder")
        try NetworkLab.run(["install", "-m", "755", source.path, "\(folder)/holder"])
        try body("\(folder)/holder")
    }

    /// Runs a step as nobody, with these capabilities.
    private static func step(
        _ net: Pair, _ holder: String, _ step: String, with capabilities: [String], as prefix: [String] = []
    ) throws -> (output: String, code: Int32?) {
        let set = "-all" + capabilities.map { ",+\($0)" }.joined()
        let running = try net.b.start(
            prefix + [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=\(set)",
                "--ambient-caps=\(set)", holder, "vb", step,
            ]
                + (["load", "replace"].contains(step)
                    ? ["{ limits: [{ each: 'source', rate: '10pps' }] }"] : []))
        guard case .exited(let code) = running.waitForExit() else { return (running.output, nil) }
        return (running.output, code)
    }

    private static let needed = ["bpf", "net_admin"]

    @Test func twoCapabilitiesAreEnoughAndRootIsNotNeeded() throws {
        let net = try Pair("nobody")
        defer { net.lab.close() }
        // One that the user may write to, in place of the one that is there.
        try net.b.run(
            "sh", "-c", "umount /sys/fs/bpf && mount -t bpf bpf /sys/fs/bpf && chown 65534 /sys/fs/bpf")
        try Self.withHolder { holder in
            for step in ["load", "replace", "status", "unload", "load"] {
                let result = try Self.step(net, holder, step, with: Self.needed)
                #expect(result.code == 0, "\(step): \(result.output)")
            }
            #expect(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp"))
            for step in ["status", "replace", "unload"] {
                let result = try Self.step(net, holder, step, with: Self.needed)
                #expect(result.code == 0, "\(step): \(result.output)")
            }
        }
        #expect(try !net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp"))
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    @Test func eachCapabilityThatIsMissingIsNamed() throws {
        let net = try Pair("lacking")
        defer { net.lab.close() }
        try net.b.run(
            "sh", "-c", "umount /sys/fs/bpf && mount -t bpf bpf /sys/fs/bpf && chown 65534 /sys/fs/bpf")
        try Self.withHolder { holder in
            for name in Self.needed {
                let lacking = try Self.step(net, holder, "load", with: Self.needed.filter { $0 != name })
                #expect(lacking.code == 77)
                #expect(
                    lacking.output.contains("missing CAP_\(name.uppercased())"), "\(name): \(lacking.output)")
            }
            let none = try Self.step(net, holder, "load", with: [])
            #expect(
                none.output.contains(
                    "vb: not permitted to change its packet filter: missing CAP_NET_ADMIN, CAP_BPF"
                ),
                "\(none.output)")
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    @Test func whoMayNotLookIsNotToldThatThereIsNone() throws {
        let net = try Pair("blind")
        defer { net.lab.close() }
        let filter = try net.b.enter { try RateLimitFilter.load(FilterRules(), on: "vb") }
        try Self.withHolder { holder in
            let blind = try Self.step(net, holder, "status", with: [])
            #expect(
                blind.output
                    == "error: vb: looking at /sys/fs/bpf/apus/filter: Operation not permitted: what is kept there "
                    + "belongs to root; run this as root\n", "\(blind.output)")
        }
        try net.b.enter { try filter.unload() }
    }

    @Test func aLoadThatFailsMidwayLeavesNothingWithoutRootEither() throws {
        let net = try Pair("midway")
        defer { net.lab.close() }
        try net.b.run(
            "sh", "-c",
            "umount /sys/fs/bpf && mount -t bpf -o mode=0700 bpf /sys/fs/bpf && chown 65534 /sys/fs/bpf")
        try Self.withHolder { holder in
            var loaded = 0
            for files in 6...32 {
                let limit = ["prlimit", "--nofile=\(files):\(files)"]
                let load = try Self.step(net, holder, "load", with: Self.needed, as: limit)
                // It may be loaded, and only be not shown.
                let isThere = try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")
                let status = try Self.step(net, holder, "status", with: Self.needed)
                #expect(isThere == (status.code == 0), "\(files): \(load) \(status)")
                if isThere {
                    loaded += 1
                    #expect(try Self.step(net, holder, "unload", with: Self.needed).code == 0)
                } else {
                    #expect(status.output.contains("vb: no filter is loaded"), "\(files): \(status)")
                }
                #expect(
                    try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false,
                    "\(files): \(load)")
            }
            #expect((1..<27).contains(loaded))
        }
    }

    @Test func aLoadThatIsKilledLeavesWhatTheNextStepFinds() throws {
        let net = try Pair("killed")
        defer { net.lab.close() }
        try net.b.run(
            "sh", "-c",
            "umount /sys/fs/bpf && mount -t bpf -o mode=0700 bpf /sys/fs/bpf && chown 65534 /sys/fs/bpf")
        try Self.withHolder { holder in
            for moment in 1...20 {
                // setpriv and the holder take some milliseconds to begin.
                let limit = ["timeout", "--signal=KILL", "0.\(String(1000 + moment * 15).dropFirst())"]
                let load = try Self.step(net, holder, "load", with: Self.needed, as: limit)
                let unload = try Self.step(net, holder, "unload", with: Self.needed)
                let isThere = try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")
                if isThere {
                    // Killed between two system calls, with nothing to hold the program by: then it is told.
                    #expect(unload.output.contains("missing CAP_SYS_ADMIN"), "\(moment): \(load) \(unload)")
                    try net.b.run("ip", "link", "set", "vb", "xdp", "off")
                    #expect(try Self.step(net, holder, "unload", with: Self.needed).code == 0)
                } else {
                    #expect(
                        unload.code == 0 || unload.output.contains("no filter is loaded"),
                        "\(moment): \(unload)")
                }
                #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
            }
        }
    }
}
