import Foundation
import NetworkLab
import Testing

extension Lab {
    /// A filter and the forwarder's steering program on one interface, in a flood, on a kernel that has libxdp's dispatcher:
    /// Debian's, in a machine that QEMU emulates.
    @Suite(
        .requires(
            .root, .program("qemu-system-x86_64"), .program("busybox"), .program("xdp-loader"), .program("ip")
        ))
    struct FilterForwardDispatcherTests {
        @Test func `What is forwarded by AF_XDP loses nothing in a flood that a filter drops`() throws {
            let lab = NetworkLab("filter-forward")
            defer { lab.close() }
            let machine = try Machine(
                "filter-forward",
                programs: [ApusProgram.path] + ["ip", "xdp-loader"].map(DispatcherTests.path),
                in: try lab.namespace("host"))
            try machine.makeLink()
            let (sources, each, burst, streamed) = (8, 2000, 3, 500)
            for source in 0..<sources {
                try machine.run("ip -n peer address add 192.0.2.\(100 + source)/24 dev va")
            }
            try machine.run(
                "echo '{ allow: [\"192.0.2.1\"], limits: [{ each: \"source\", service: \"udp/5004\", "
                    + "rate: \"0.001/s\", burst: \(burst) }] }' >/tmp/rules.json5")
            try machine.run("apus filter load vb --config /tmp/rules.json5")
            try machine.start(
                "apus forward -b xdp --mode native -i vb -l 192.0.2.2:5004 -t 192.0.2.1:6004 --no-rtp --json",
                untilLine: "ready")
            #expect(try machine.programs() == ["apus_filter", "apus_steer"])

            let before = try machine.cameBack()
            func generate(_ source: String, _ options: String) -> String {
                "ip netns exec peer apus generate va --from \(source):4000 --to 192.0.2.2:5004 --udp --size 18 "
                    + "-b packet \(options)"
            }
            let flood = generate("192.0.2.$((100 + n))", "--rate max --count \(each) >/dev/null")
            try machine.run(
                "(n=0; while [ $n -lt \(sources) ]; do \(flood); n=$((n + 1)); done) & flood=$!; "
                    + generate("192.0.2.1", "--rate 100 --count \(streamed)") + "; wait $flood",
                within: .seconds(120))
            try machine.run("sleep 1")
            let came = try machine.cameBack() - before
            let judged = try FilterFigures(machine.run("apus filter status vb --json"))
            let unsent = try machine.number("ip netns exec peer cat /sys/class/net/va/statistics/tx_dropped")
            let output = try machine.stop()
            let last = try #require(output.split(whereSeparator: \.isNewline).last)
            let status = try JSONDecoder().decode(Status.self, from: Data(last.utf8))
            expectConserved(status)
            print(
                "\(came) of \(streamed + sources * burst) came back, \(judged), \(unsent) not sent; \(status.drops)"
            )
            // Of the stream, and of the burst of each other, nothing is lost, or little and by name.
            let passed = streamed + sources * burst
            let named = unsent + Int(status.losses + status.refusals + status.portDrops)
            #expect((passed - min(named, passed / 20)...passed).contains(came), "\(named) have a name")
            // Each packet is somewhere; with what the peer says of the port where nobody listens.
            #expect(judged.passed + judged.dropped + unsent >= streamed + sources * each)
            #expect(judged.dropped <= sources * (each - burst))
            #expect((0...60).contains(judged.passed - Int(status.received)))
            #expect(try machine.programs() == ["apus_filter"])
            try machine.run("apus filter unload vb")
            try machine.expectNothingLeft()
            #expect(try machine.shutDown() == .exited(0))
        }
    }
}

extension Machine {
    fileprivate func number(_ command: String) throws -> Int {
        try Int(run(command).prefix { $0.isNumber }) ?? -1
    }

    /// How many datagrams have come to the peer, where nobody listens (NoPorts of snmp(7)).
    fileprivate func cameBack() throws -> Int {
        try number("ip netns exec peer grep Udp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 3")
    }
}
