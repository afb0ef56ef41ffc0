import CLinux
import Foundation
import Glibc
import NetworkLab

/// A machine that QEMU emulates, with Debian's kernel, busybox and the programs of a test, and two PCI network
/// cards; this process has the other ends of their cables. See Tests/QEMU/README.md.
///
/// It has no interface of this machine's, and is gone with the last reference or with this process.
final class Guest: Sendable {
    /// An Intel 82574L, for which DPDK has the driver net_e1000_em.
    static let e1000e = "0000:00:03.0"
    /// A virtio card as those of most clouds, for which DPDK has the driver net_virtio.
    static let virtio = "0000:00:04.0"
    /// The link-layer addresses of both.
    static let e1000eAddress: [UInt8] = [2, 0, 0, 0, 0, 0xe]
    static let virtioAddress: [UInt8] = [2, 0, 0, 0, 0, 0xf]

    /// The other ends of their cables.
    let e1000eWire, virtioWire: Wire
    private let lab = NetworkLab("guest")
    private let scratch: Scratch
    private let machine: Running
    private let commands: Descriptor

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
        e1000eWire = try Wire(scratch("a"))
        virtioWire = try Wire(scratch("b"))
        let listener = try Descriptor(AF_UNIX, APUS_SOCK_STREAM)
        try listener.bind(SocketAddress(path: scratch("commands")))
        guard listen(listener.number, 1) == 0 else { throw LabError.system("listen") }

        // In a namespace, which ends it when this process ends without doing so.
        machine = try lab.namespace("host").start(Self.command(scratch))
        guard listener.isReadable(within: 20_000) else {
            throw LabError("QEMU does not start: \(machine.errors)")
        }
        commands = Descriptor(taking: accept(listener.number, nil, nil))
        _ = try answer(to: "its boot", within: .seconds(120))
    }

    deinit { lab.close() }

    private static func command(_ scratch: Scratch) -> [String] {
        func card(_ wire: String, _ model: String, _ place: Int, _ address: [UInt8]) -> [String] {
            let mac = address.map { String(format: "%02x", $0) }.joined(separator: ":")
            return [
                "-netdev",
                """
                dgram,id=\(wire),local.type=unix,local.path=\(scratch(wire)).guest,remote.type=unix,\
                remote.path=\(scratch(wire))
                """,
                "-device", "\(model),netdev=\(wire),addr=\(place),mac=\(mac),romfile=",
            ]
        }
        return [
            "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "768",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", kernel, "-initrd", scratch("initrd"),
            "-append", "console=ttyS0 quiet hugepages=64 panic=-1 nokaslr mitigations=off",
            "-serial", "file:\(logs)/console.log",
            "-chardev",
            "socket,id=commands,path=\(scratch("commands")),server=off,logfile=\(logs)/commands.log",
            "-serial", "chardev:commands",
        ] + card("a", "e1000e", 3, e1000eAddress)
            + card("b", "virtio-net-pci,disable-modern=off", 4, virtioAddress)
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
