import Foundation
import NetworkLab

/// A machine with two PCI network cards, of whose cables this process has the other ends.
///
/// It has no interface of this machine's.
final class Guest: Sendable {
    /// One of its cards.
    struct Card: Sendable {
        /// On PCI.
        let address: String
        /// As QEMU has it.
        let model: String
        /// DPDK's driver of it.
        let driver: String
        let mac: [UInt8]
        /// The other end of its cable.
        let wire: Wire

        fileprivate init(_ scratch: Scratch, slot: UInt8, _ model: String, _ driver: String) throws {
            address = "0000:00:0\(slot).0"
            (self.model, self.driver, mac) = (model, driver, [2, 0, 0, 0, 1, slot])
            wire = try Wire(scratch("wire\(slot)"))
        }

        fileprivate var options: [String] {
            let mac = mac.map { String(format: "%02x", $0) }.joined(separator: ":")
            let slot = self.mac[5]
            return [
                "-netdev",
                "dgram,id=wire\(slot),local.type=unix,local.path=\(wire.otherPath),remote.type=unix,remote.path=\(wire.path)",
                "-device", "\(model),netdev=wire\(slot),addr=\(slot),mac=\(mac),romfile=",
            ]
        }
    }

    /// An Intel 82574L, and a virtio card as those of most clouds.
    let cards: [Card]
    /// A virtio card with two queues and receive-side scaling, which QEMU has only where a tap interface is at the other end: in
    /// the namespace that it runs in.
    let spreading: (address: String, mac: [UInt8]) = ("0000:00:05.0", [2, 0, 0, 0, 1, 5])
    private let space: Namespace
    private let lab = NetworkLab("guest")
    private let scratch: Scratch
    private let machine: Machine

    /// Boots it; it takes commands then.
    init(programs: [String]) throws {
        scratch = try Scratch()
        cards = [
            try Card(scratch, slot: 3, "e1000e", "net_e1000_em"),
            try Card(scratch, slot: 4, "virtio-net-pci,disable-modern=off", "net_virtio"),
        ]
        space = try lab.namespace("host")
        try space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        try space.run("ip", "tuntap", "add", "dev", "rss0", "mode", "tap", "multi_queue")
        try space.run("ip", "link", "set", "rss0", "up")
        machine = try Machine(
            "cards", programs: programs, in: space,
            options: Self.nodes + cards.flatMap(\.options) + Self.spreadingCard,
            kernelOptions: "hugepages=64")
    }

    deinit { lab.close() }

    /// Pulls the cable out of a card, or puts it back.
    func setLink(_ card: Card, isUp: Bool) throws {
        try machine.order("set_link wire\(card.mac[5]) \(isUp ? "on" : "off")")
    }

    private static let spreadingCard = [
        "-netdev", "tap,id=spread,ifname=rss0,script=no,downscript=no,queues=2,vhost=off",
        "-device",
        "virtio-net-pci,disable-modern=off,netdev=spread,addr=5,mac=02:00:00:00:01:05,mq=on,rss=on,vectors=6,romfile=",
    ]

    /// Sends frames to the card with two queues.
    func send(_ frames: [[UInt8]]) throws {
        let program = """
            import socket, sys, time
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("rss0", 0))
            for line in sys.stdin:
                s.send(bytes.fromhex(line))
                time.sleep(0.001)
            """
        let lines = frames.map { frame in frame.map { String(format: "%02x", $0) }.joined() }
        try space.run(["python3", "-c", program], input: lines.joined(separator: "\n"))
    }

    // Two NUMA nodes, each with a processor and half the memory.
    private static let nodes = [
        "-object", "memory-backend-ram,id=memory0,size=384M",
        "-object", "memory-backend-ram,id=memory1,size=384M",
        "-numa", "node,nodeid=0,cpus=0,memdev=memory0", "-numa", "node,nodeid=1,cpus=1,memdev=memory1",
    ]

    /// Runs a command in it; see `Machine.run`.
    @discardableResult
    func run(_ command: String, status: Int = 0, within limit: Duration = .seconds(60)) throws -> String {
        try machine.run(command, status: status, within: limit)
    }

    /// Starts a program in the background; see `Machine.start`.
    func start(_ command: String, untilLine text: String) throws {
        try machine.start(command, untilLine: text)
    }

    /// Ends the program that was started and gives all that it wrote.
    func stop() throws -> String { try machine.stop() }

    /// Switches it off, and sees that QEMU ends by itself.
    func shutDown() throws -> ExitStatus? { try machine.shutDown() }
}
