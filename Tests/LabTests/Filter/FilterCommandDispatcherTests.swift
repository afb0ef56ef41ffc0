import Foundation
import NetworkLab
import Testing

extension Lab {
    /// `apus filter` on a kernel that has libxdp's dispatcher: Debian's, in a machine that QEMU emulates.
    @Suite(
        .requires(
            .root, .program("qemu-system-x86_64"), .program("busybox"), .program("xdp-filter"),
            .program("xdp-loader"), .program("ip")))
    struct FilterCommandDispatcherTests {
        @Test func `A filter is loaded beside another program, explains, and goes without it`() throws {
            let lab = NetworkLab("filter-command")
            defer { lab.close() }
            let programs = try ["ip", "xdp-filter", "xdp-loader"].map { program in
                try NetworkLab.run(["sh", "-c", "command -v \(program)"]).standardOutput
                    .trimmingCharacters(in: .newlines)
            }
            let machine = try Machine(
                "filter-command", programs: [ApusProgram.path] + programs, in: try lab.namespace("host"))
            try machine.makeLink()
            try machine.run("xdp-filter load -m native -f ipv4 vb")
            let loaded = try machine.run("export NO_COLOR=1; apus filter load vb")
            #expect(
                loaded.hasPrefix("vb: native mode, through libxdp's dispatcher, 0 entries, 0 limits\n"),
                "\(loaded)")
            let ping = "ip netns exec peer ping -c 1 -W 1 192.0.2.2"
            #expect(try machine.attempt(ping).status == 0)
            try machine.run("apus filter limit vb --source any --service icmp --rate 1/m --burst 1")
            #expect(try machine.attempt(ping).status == 0)
            #expect(try machine.attempt(ping).status == 1)
            let hex = "ffffffffffff02000000000208004500001c0000000040010000c0000201c00002020800f7ff00000000"
            let explained = try machine.run("apus filter explain vb --hex \(hex)")
            #expect(explained.contains("octets: within all limits: source icmp\n"), "\(explained)")
            #expect(try machine.run("apus filter status --json | cat").contains("\"dispatcher\":true"))
            // Rules are tried before any is loaded there, too.
            try machine.run("echo '{ policy: \"deny\" }' >/tmp/deny.json5")
            let warned = try machine.run(
                "SSH_CONNECTION='192.0.2.1 4 192.0.2.2 2222' apus filter reload vb --config /tmp/deny.json5 2>&1"
            )
            #expect(warned.contains("from 192.0.2.1 to 192.0.2.2:2222: the policy is to deny; "), "\(warned)")
            #expect(try machine.attempt(ping).status == 1)
            try machine.run("apus filter unload vb")
            #expect(try machine.attempt(ping).status == 0)
            #expect(try machine.run("xdp-loader status vb").contains("xdpfilt_alw_ip"))
            try machine.run("xdp-filter unload vb")
            // Taken off by another tool, with the dispatcher.
            try machine.run("apus filter load vb && xdp-loader unload vb --all")
            #expect(
                try machine.run("apus filter status").hasPrefix(
                    "vb: its filter was taken off by another tool"))
            try machine.run("apus filter load vb")
            // Moved to where nothing is kept of it, and beside another program there.
            try machine.run("ip netns add other && ip link set vb netns other")
            let there = "ip netns exec other sh -c 'mount -t bpf bpf /sys/fs/bpf && apus filter"
            let refused = try machine.attempt("\(there) load vb 2>&1'")
            #expect(
                refused.status == 69 && refused.output.contains("take it off with `apus filter unload vb`"))
            let removed = try machine.run("\(there) unload vb'")
            #expect(removed.hasPrefix("vb: the program of a filter is taken off whose state"), "\(removed)")
            #expect(try !machine.run("ip netns exec other ip link show vb").contains("xdp"))
            let kept = try machine.run("apus filter unload --all")
            #expect(kept.contains("): the interface is gone, or in another network namespace; "), "\(kept)")
            #expect(try machine.run("ls -d /sys/fs/bpf/apus 2>/dev/null || true").isEmpty)
            #expect(try machine.shutDown() == .exited(0))
        }

        /// All that rules can have, with the one limit that has a program of its own and with as many as there can be. Older
        /// verifiers count otherwise than newer ones.
        @Test func `Debian's verifier accepts all that rules can have`() throws {
            let lab = NetworkLab("filter-verifier")
            defer { lab.close() }
            let programs = try ["ip"].map { program in
                try NetworkLab.run(["sh", "-c", "command -v \(program)"]).standardOutput
                    .trimmingCharacters(in: .newlines)
            }
            let machine = try Machine(
                "filter-verifier", programs: [ApusProgram.path] + programs, in: try lab.namespace("host"))
            try machine.makeLink()
            for limits in [1, 32] {
                let each = (1...limits).map {
                    #"{ name: "l\#($0)", each: "source", service: "udp/\#($0)", rate: ["1kpps", "1Mbit"], ban: { over: 2, for: "1m" } }"#
                }.joined(separator: ", ")
                for (policy, fragments) in [("deny", "deny"), ("allow", "allow")] {
                    let rules = #"""
                        { policy: "\#(policy)", notIP: "deny", malformed: "deny", fragments: "\#(fragments)", \#
                        limitNeighbors: true, \#
                        management: [{ service: "tcp/22", from: ["10.0.0.0/8", "2001:db8::/32"] }, "udp/161"], \#
                        deny: ["198.51.100.7", "2001:db8:1::/48", "udp/9", "from:udp/11211", "gre"], limits: [\#(each)] }
                        """#
                    try machine.run("echo '\(rules)' >/tmp/all.json5")
                    for mode in ["native", "generic"] {
                        try machine.run(
                            "apus filter load vb --replace --mode \(mode) --config /tmp/all.json5")
                    }
                    try machine.run("apus filter unload vb")
                }
            }
            #expect(try machine.shutDown() == .exited(0))
        }
    }
}
