import CLinux
import Foundation
import Glibc
import NetworkLab

/// A machine that QEMU emulates, with Debian's kernel, busybox and the programs of a test, and two PCI network
/// cards; this process has the other ends of their cables. See Tests/QEMU/README.md.
///
/// It has no interface of this machine's, and is gone with the last reference or with this process.
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
    private let machine: Running
    private let commands: Descriptor
    /// QEMU's own.
    private let monitor: Descriptor

    private static let root =
        URL(fileURLWithPath: #filePath).pathComponents.dropLast(4).joined(separator: "/")
    private static let kernel = root + "/.build/qemu/kernel/kernel"
    /// What the kernel and the first process say, and all answers to commands.
    static let logs = root + "/.build/qemu/log"

    /// Boots it; it takes commands then.
    init(programs: [String]) throws {
        scratch = try Scratch()
        try NetworkLab.run([Self.root + "/Tests/QEMU/image.sh", scratch("initrd")] + programs)
        try FileManager.default.createDirectory(atPath: Self.logs, withIntermediateDirectories: true)
        cards = [
            try Card(scratch, slot: 3, "e1000e", "net_e1000_em"),
            try Card(scratch, slot: 4, "virtio-net-pci,disable-modern=off", "net_virtio"),
        ]
        let listener = try Self.listener(scratch("commands"))
        let monitorListener = try Self.listener(scratch("monitor"))

        // In a namespace, which ends it when this process ends without doing so.
        space = try lab.namespace("host")
        try space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        try space.run("ip", "tuntap", "add", "dev", "rss0", "mode", "tap", "multi_queue")
        try space.run("ip", "link", "set", "rss0", "up")
        machine = try space.start(Self.command(scratch) + cards.flatMap(\.options) + Self.spreadingCard)
        guard listener.isReadable(within: 20_000), monitorListener.isReadable(within: 20_000) else {
            throw LabError("QEMU does not start: \(machine.errors)")
        }
        commands = Descriptor(taking: accept(listener.number, nil, nil))
        monitor = Descriptor(taking: accept(monitorListener.number, nil, nil))
        _ = try answer(to: "its boot", within: .seconds(120))
    }

    deinit { lab.close() }

    private static func listener(_ path: String) throws -> Descriptor {
        let listener = try Descriptor(AF_UNIX, APUS_SOCK_STREAM)
        try listener.bind(SocketAddress(path: path))
        guard listen(listener.number, 1) == 0 else { throw LabError.system("listen") }
        return listener
    }

    /// Pulls the cable out of a card, or puts it back.
    func setLink(_ card: Card, isUp: Bool) throws {
        try monitor.write(Array("set_link wire\(card.mac[5]) \(isUp ? "on" : "off")\n".utf8))
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

    private static func command(_ scratch: Scratch) -> [String] {
        [
            "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "768",
            // Two NUMA nodes, each with a processor and half the memory.
            "-object", "memory-backend-ram,id=memory0,size=384M",
            "-object", "memory-backend-ram,id=memory1,size=384M",
            "-numa", "node,nodeid=0,cpus=0,memdev=memory0", "-numa", "node,nodeid=1,cpus=1,memdev=memory1",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", kernel, "-initrd", scratch("initrd"),
            "-append", "console=ttyS0 quiet hugepages=64 panic=-1 nokaslr mitigations=off",
            "-serial", "file:\(logs)/console.log",
            "-chardev",
            "socket,id=commands,path=\(scratch("commands")),server=off,logfile=\(logs)/commands.log",
            "-serial", "chardev:commands",
            "-chardev", "socket,id=monitor,path=\(scratch("monitor")),server=off",
            "-mon", "chardev=monitor,mode=readline",
        ]
    }

    /// Runs a command of its shell, in one line, and gives what it wrote.
    ///
    /// - Throws: `LabError` with that when its status is not `status`.
    @discardableResult
    func run(_ command: String, status: Int = 0, within limit: Duration = .seconds(60)) throws -> String {
        try commands.write(Array("\(command)\n".utf8))
        let (text, got) = try answer(to: command, within: limit)
        guard got == status else { throw LabError("in the guest, `\(command)` ended with \(got):\n\(text)") }
        return text
    }

    /// Starts a program in the background, one at a time, and waits for a line of it with that text.
    func start(_ command: String, untilLine text: String) throws {
        // Its input never comes to an end.
        try run("mkfifo /tmp/in; \(command) <>/tmp/in >/tmp/out 2>&1 & program=$!")
        let deadline = ContinuousClock.now + .seconds(60)
        while try run("grep -F '\(text)' /tmp/out || true").isEmpty {
            let isOver = try run("[ ! -e /proc/$program ] || echo runs").isEmpty
            guard !isOver, ContinuousClock.now < deadline else {
                throw LabError("in the guest, `\(command)` has not written \"\(text)\":\n\(try stop())")
            }
            usleep(100_000)
        }
    }

    /// Ends the program that was started and gives all that it wrote.
    func stop() throws -> String {
        try run("kill -TERM $program; wait $program; s=$?; cat /tmp/out; rm /tmp/in /tmp/out; (exit $s)")
    }

    /// Switches it off, and sees that QEMU ends by itself.
    func shutDown() throws -> ExitStatus? {
        try commands.write(Array("poweroff -f\n".utf8))
        return machine.waitForExit(within: .seconds(20))
    }

    /// What comes up to an EOT, and the number behind that.
    private func answer(to command: String, within limit: Duration) throws -> (text: String, status: Int) {
        var octets: [UInt8] = []
        let deadline = ContinuousClock.now + limit
        while true {
            if octets.last == UInt8(ascii: "\n"), let end = octets.lastIndex(of: 4),
                let status = Int(String(decoding: octets[(end + 1)...].dropLast(), as: UTF8.self))
            {
                return (String(decoding: octets[..<end], as: UTF8.self), status)
            }
            let ready = commands.isReadable(within: 100)
            if ready, let part = commands.read(1 << 16) {
                octets += part
            } else if ready || ContinuousClock.now > deadline {
                let console = try? String(contentsOfFile: Self.logs + "/console.log", encoding: .utf8)
                throw LabError(
                    """
                    the guest has \(ready ? "ended" : "not answered in \(limit)") during \(command): \
                    \(String(decoding: octets, as: UTF8.self))
                    \(machine.errors)\(console ?? "")
                    """)
            }
        }
    }
}
