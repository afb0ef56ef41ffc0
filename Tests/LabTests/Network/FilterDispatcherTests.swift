import Foundation
import NetworkLab
import Testing

extension Lab {
    /// The packet filter beside other XDP programs, on a kernel with BPF extension programs and an older verifier:
    /// Debian's, in a machine that QEMU emulates.
    @Suite(
        .requires(
            .root, .program("qemu-system-x86_64"), .program("busybox"), .program("xdp-filter"),
            .program("xdp-loader"), .program("ip"), .program("ping")))
    struct FilterDispatcherTests {
        @Test func `The packet filter, the steering program and xdp-filter share an interface in any order`()
            throws
        {
            let lab = NetworkLab("beside")
            defer { lab.close() }
            let machine = try Machine(
                "beside",
                programs: [ApusProgram.path, ApusProgram.beside("FilterHolder")]
                    + ["ip", "ping", "xdp-filter", "xdp-loader"].map(DispatcherTests.path),
                in: try lab.namespace("host"))
            try machine.makeLink()

            // The steering program joins the filter, which judges what it gets.
            try machine.loadFilter(burst: 8, "first")
            #expect(try machine.programs() == ["apus_filter"])
            try machine.startForwarder()
            #expect(try machine.programs() == ["apus_filter", "apus_steer"])
            #expect(try machine.forwarded() == 5)
            #expect(try machine.forwarded() == 3)
            #expect(try machine.forwarded() == 0)
            // Other rules with the same limit, and that with another burst.
            try machine.replaceRules(burst: 8, "first")
            #expect(try machine.forwarded() == 0)
            try machine.replaceRules(burst: 6, "first")
            #expect(try machine.forwarded() == 5)
            #expect(try machine.forwarded() == 1)
            // A bucket of another name.
            try machine.replaceRules(burst: 7, "second")
            #expect(try machine.forwarded() == 5)

            // It goes, and the filter goes on.
            _ = try machine.stop()
            #expect(try machine.programs() == ["apus_filter"])
            try machine.replaceRules(burst: 2, "pings", service: "icmp")
            #expect(try machine.answers() == 2)
            try machine.run("FilterHolder vb unload")
            try machine.expectNothingLeft()
            #expect(try machine.run("ls /sys/fs/bpf").contains("apus") == false)

            // The filter joins the steering program, goes, and that goes on.
            try machine.startForwarder()
            #expect(try machine.loadFilter(burst: 8, "first").contains("native in a dispatcher"))
            #expect(try machine.programs() == ["apus_filter", "apus_steer"])
            #expect(try machine.forwarded() == 5)
            #expect(try machine.forwarded() == 3)
            try machine.run("FilterHolder vb unload")
            #expect(try machine.programs() == ["apus_steer"])
            #expect(try machine.forwarded() == 5)

            // Three of them; the filter goes from among them.
            try machine.run("xdp-filter load -m native -f ipv4 vb")
            try machine.loadFilter(burst: 8, "first")
            #expect(try machine.programs().sorted() == ["apus_filter", "apus_steer", "xdpfilt_alw_ip"])
            #expect(try machine.forwarded() == 5)
            try machine.run("xdp-filter ip -m src 192.0.2.1")
            #expect(try machine.forwarded() == 0)
            try machine.run("xdp-filter ip -m src -r 192.0.2.1")
            try machine.replaceRules(burst: 3, "second")
            #expect(try machine.forwarded() == 3)
            _ = try machine.stop()
            #expect(try machine.programs().sorted() == ["apus_filter", "xdpfilt_alw_ip"])
            try machine.replaceRules(burst: 2, "pings", service: "icmp")
            #expect(try machine.answers() == 2)
            try machine.run("xdp-filter unload vb")
            #expect(try machine.programs() == ["apus_filter"])
            #expect(try machine.answers() == 0)

            // Rules come and go under traffic of which nothing is lost.
            try machine.replaceRules(burst: 10_000, "third", service: "icmp")
            try machine.start("ip netns exec peer ping -i 0.02 -c 500 192.0.2.2", untilLine: "icmp_seq=5")
            for number in 0..<10 {
                try machine.replaceRules(burst: 10_000 + number, "third", service: "icmp")
            }
            try machine.run("wait $program")
            #expect(try machine.run("cat /tmp/out").contains("500 received"))
            try machine.run("rm /tmp/in /tmp/out; FilterHolder vb unload")
            try machine.expectNothingLeft()
            #expect(try machine.shutDown() == .exited(0))
        }

        @Test func `The tests of the packet filter pass where there is a dispatcher and an older verifier`()
            throws
        {
            let lab = NetworkLab("older")
            defer { lab.close() }
            let machine = try Machine(
                "older",
                programs: [ApusProgram.tests.path]
                    + ["ethtool", "ip", "mount", "nsenter", "ping", "umount", "unshare"]
                    .map(DispatcherTests.path),
                in: try lab.namespace("host"), megabytes: 2048)
            let tests =
                "(RateLimitFilterTests/|VerifierTests/thirtyTwo)"
            let (output, status) = try machine.attempt(
                "CI=true NO_COLOR=1 \(ApusProgram.tests.lastPathComponent) --testing-library swift-testing "
                    + "--no-parallel --filter '^ApusFilterTests\\.\(tests)'",
                within: .seconds(300))
            #expect(status == 0 && output.contains("in 2 suites passed"), "\(output)")
            #expect(try machine.shutDown() == .exited(0))
        }
    }
}

extension Machine {
    /// So slow a limit for each source that nothing fills meanwhile; one of that burst alone where it is large.
    private func rules(_ burst: Int, _ name: String, _ service: String) -> String {
        let rate = burst < 80 ? "0.001/s" : "1/s"
        return
            "'{ limits: [{ name: \"\(name)\", each: \"source\", service: \"\(service)\", rate: \"\(rate)\", burst: \(burst) }] }'"
    }

    @discardableResult
    fileprivate func loadFilter(burst: Int, _ name: String) throws -> String {
        try run("FilterHolder vb load \(rules(burst, name, "udp/5004"))")
    }

    fileprivate func replaceRules(burst: Int, _ name: String, service: String = "udp/5004") throws {
        try run("FilterHolder vb replace \(rules(burst, name, service))")
    }

    /// How many of five pings are answered.
    fileprivate func answers() throws -> Int {
        let text = try run("ip netns exec peer ping -c 5 -i 0.1 -W 1 192.0.2.2 || true")
        let words = text.split(separator: " ")
        return words.firstIndex(of: "received,").flatMap { Int(words[$0 - 1]) } ?? -1
    }
}
