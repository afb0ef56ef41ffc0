import Apus
import Testing

@testable import ApusCLI

@Suite struct GrantTextTests {
    private func grant(_ interface: String, _ queue: Int, zeroCopy: Bool) -> PortGrant {
        PortGrant(
            backend: .xdp, interface: interface, queue: queue,
            features: [
                .init("backend", requested: "auto", granted: "xdp"),
                .init("XDP mode", requested: "best", granted: "native"),
                .init(
                    "zero-copy", requested: "preferred", granted: zeroCopy ? "yes" : "no",
                    reason: zeroCopy ? nil : "the driver refused it: Operation not supported"),
                .init("multi-buffer", requested: "preferred", granted: "yes"),
                .init("need-wakeup", requested: "yes", granted: "yes"),
                .init("pages", requested: "2 MiB", granted: "4 KiB", reason: "no huge page is free"),
            ])
    }

    @Test func `an interface has one short line, and one for each thing less than asked for`() {
        let grants = (0..<4).map { grant("eth0", $0, zeroCopy: true) }
        #expect(
            GrantText.lines(grants + [grant("eth1", 0, zeroCopy: false)]) == [
                "eth0: xdp, native, zero-copy, 4 queues",
                "  pages 4 KiB: no huge page is free",
                "eth1: xdp, native, copy, 1 queue",
                "  zero-copy no: the driver refused it: Operation not supported",
                "  pages 4 KiB: no huge page is free",
            ])
    }

    @Test func `a device of DPDK has its driver in the line`() {
        let grant = PortGrant(
            backend: .dpdk, interface: "0000:03:00.0", queue: 0,
            features: [
                .init("backend", requested: "dpdk", granted: "dpdk"),
                .init("driver", requested: "any", granted: "net_ixgbe"),
            ])
        #expect(GrantText.lines([grant]) == ["0000:03:00.0: dpdk, net_ixgbe, 1 queue"])
    }

    @Test func `the part of a worker without a queue is no queue`() {
        let spread = PortGrant.Feature(
            "flows", requested: "a queue for each worker", granted: "spread over 2 workers by software",
            reason: "net_null0 has 1 queue")
        let queue = PortGrant(
            backend: .dpdk, interface: "net_null0", queue: 0,
            features: [spread, .init("driver", requested: "any", granted: "net_null")])
        let share = PortGrant(
            backend: .dpdk, interface: "net_null0", queue: 1,
            features: [spread, .init("queue", requested: "one", granted: "rings to worker 0")])
        #expect(
            GrantText.lines([queue, share]) == [
                "net_null0: dpdk, net_null, 1 queue",
                "  flows spread over 2 workers by software: net_null0 has 1 queue",
            ])
    }

    @Test func `queues that got less are named`() {
        let grants = (0..<4).map { grant("eth0", $0, zeroCopy: $0 == 1) }
        #expect(
            GrantText.lines(grants) == [
                "eth0: xdp, native, copy, 3 queues",
                "eth0: xdp, native, zero-copy, 1 queue",
                "  zero-copy no: the driver refused it: Operation not supported (queue 0, 2-3)",
                "  pages 4 KiB: no huge page is free",
            ])
    }

    @Test func `what AF_PACKET stands in for is said with the reason`() {
        let grant = PortGrant(
            backend: .packet, interface: "eth0", queue: 0,
            features: [
                .init("backend", requested: "auto", granted: "packet", reason: "no AF_XDP: not permitted"),
                .init("fanout", requested: "none", granted: "none"),
            ])
        #expect(
            GrantText.lines([grant]) == [
                "eth0: packet, copy, 1 socket", "  backend packet: no AF_XDP: not permitted",
            ])
    }
}
