import Foundation
import NetworkLab
import Testing

extension Lab {
    /// libxdp's dispatcher, which needs a kernel with BPF extension programs: Debian's, in a machine that QEMU emulates.
    @Suite(
        .requires(
            .root, .program("qemu-system-x86_64"), .program("busybox"), .program("xdp-filter"),
            .program("xdp-loader"), .program("ip")))
    struct DispatcherTests {
        @Test func `The steering program and xdp-filter share an interface, and each goes without the other`()
            throws
        {
            let lab = NetworkLab("dispatcher")
            defer { lab.close() }
            let machine = try Machine(
                "dispatcher",
                programs: [
                    ApusProgram.path
                ] + ["ip", "xdp-filter", "xdp-loader"].map(Self.path),
                in: try lab.namespace("host"))
            try machine.makeLink()

            // The filter joins the steering program.
            try machine.startForwarder()
            #expect(try machine.programs() == ["apus_steer"])
            try machine.run("xdp-filter load -m native -f ipv4 vb")
            #expect(try machine.programs() == ["xdpfilt_alw_ip", "apus_steer"])
            #expect(try machine.forwarded() == 5)
            try machine.run("xdp-filter ip -m src 192.0.2.1")
            #expect(try machine.forwarded() == 0)
            try machine.run("xdp-filter ip -m src -r 192.0.2.1")
            #expect(try machine.forwarded() == 5)

            // It goes, and the steering program goes on.
            try machine.run("xdp-filter unload vb")
            #expect(try machine.programs() == ["apus_steer"])
            #expect(try machine.forwarded() == 5)
            _ = try machine.stop()
            try machine.expectNothingLeft()

            // The steering program joins the filter, goes, and the filter goes on.
            try machine.run("xdp-filter load -m native -f ipv4 vb")
            try machine.startForwarder()
            #expect(try machine.programs() == ["xdpfilt_alw_ip", "apus_steer"])
            #expect(try machine.forwarded() == 5)
            _ = try machine.stop()
            #expect(try machine.programs() == ["xdpfilt_alw_ip"])
            #expect(try machine.attempt("ip netns exec peer ping -c 1 -W 1 192.0.2.2").status == 0)
            try machine.run("xdp-filter ip -m src 192.0.2.1")
            #expect(try machine.attempt("ip netns exec peer ping -c 1 -W 1 192.0.2.2").status == 1)

            // A killed one is taken out by the next, beside the filter.
            try machine.startForwarder()
            try machine.run("kill -KILL $program; wait $program || true; rm /tmp/in /tmp/out")
            #expect(try machine.programs() == ["xdpfilt_alw_ip", "apus_steer"])
            let doctor = try machine.attempt("apus doctor vb --clean")
            #expect(doctor.output.contains("which is gone"), "\(doctor)")
            #expect(try machine.programs() == ["xdpfilt_alw_ip"])
            try machine.run("xdp-filter unload vb")
            try machine.expectNothingLeft()
            #expect(try machine.shutDown() == .exited(0))
        }

        @Test func `The tests of programs on interfaces pass where there is a dispatcher`() throws {
            let lab = NetworkLab("extensions")
            defer { lab.close() }
            let machine = try Machine(
                "extensions",
                programs: [ApusProgram.tests.path] + Self.tools.map(Self.path),
                in: try lab.namespace("host"), megabytes: 2048)
            let tests = "(InterfaceProgramTests/|BPFMapTests/|SteeringTests/.*(lives beside|disappears))"
            let (output, status) = try machine.attempt(
                "CI=true NO_COLOR=1 \(ApusProgram.tests.lastPathComponent) --testing-library swift-testing "
                    + "--no-parallel --filter '^ApusXDPTests\\.\(tests)'",
                within: .seconds(300))
            #expect(status == 0 && output.contains("in 3 suites passed"), "\(output)")
            #expect(!output.contains("not on this kernel"), "\(output)")
            #expect(try machine.shutDown() == .exited(0))
        }

        /// What the tests in the machine run.
        private static let tools = [
            "ethtool", "ip", "mount", "nsenter", "ping", "umount", "unshare", "xdp-filter", "xdp-loader",
        ]

        static func path(_ program: String) throws -> String {
            try NetworkLab.run(["sh", "-c", "command -v \(program)"]).standardOutput
                .trimmingCharacters(in: .newlines)
        }
    }
}

extension Machine {
    func startForwarder() throws {
        try start(
            "apus forward -b xdp --mode native -i vb -l 192.0.2.2:5004 -t 192.0.2.1:6004 --no-rtp",
            untilLine: "ready")
    }

    /// The programs in the dispatcher of vb, in the order in which it calls them.
    func programs() throws -> [String] {
        let lines = try run("xdp-loader status vb").split(separator: "\n").map(String.init)
        guard lines.contains(where: { $0.contains("xdp_dispatcher") }) else { return [] }
        return lines.filter { $0.contains("=>") }.compactMap { line in
            line.split(separator: " ").dropFirst(2).first.map(String.init)
        }
    }

    /// Sends five datagrams to the forwarder and gives how many of them come back from it.
    func forwarded() throws -> Int {
        func count() throws -> Int {
            let text = try run("ip netns exec peer grep Udp: /proc/net/snmp | tail -n 1")
            // Nobody listens: NoPorts.
            return text.split(separator: " ").dropFirst(2).first.flatMap { Int($0) } ?? -1
        }
        let before = try count()
        try run(
            "ip netns exec peer apus generate va --to 192.0.2.2:5004 --udp --count 5 --rate 100 -b packet")
        try run("sleep 1")
        return try count() - before
    }

    /// No program and no dispatcher is on vb, and no pin is left.
    func expectNothingLeft() throws {
        #expect(try !run("ip -d link show dev vb").contains("xdp"))
        #expect(try run("ls /sys/fs/bpf/xdp") == "")
    }
}
