import CLinux
import Foundation
import Glibc
import NetworkLab

/// A machine that QEMU emulates, with Debian's kernel, busybox and the programs of a test. See Tests/QEMU/README.md.
///
/// Its kernel has BPF extension programs, and so libxdp's dispatcher; a BPF file system is mounted, and interfaces are
/// made with `ip link add … type veth`. Nothing of this machine is in it, and it is gone with the last reference or
/// with this process.
final class Machine: Sendable {
    private let scratch: Scratch
    private let running: Running
    private let commands: Descriptor
    private let monitor: Descriptor

    private static let root =
        URL(fileURLWithPath: #filePath).pathComponents.dropLast(4).joined(separator: "/")
    private static let kernel = root + "/.build/qemu/kernel/kernel"
    /// What the kernel and the first process say, and all answers to commands, of each machine by its name.
    static let logs = root + "/.build/qemu/log"
    private let name: String

    /// Boots it; it takes commands then.
    ///
    /// - Parameters:
    ///   - name: of its files among the logs, so that machines may run side by side.
    ///   - programs: their files; they are in its PATH, with the libraries that they are linked to.
    ///   - space: where QEMU runs, which ends it when this process ends without doing so.
    ///   - megabytes: of memory, of which the programs and their libraries take their size.
    ///   - options: of QEMU, for devices and more.
    ///   - kernelOptions: of its kernel's command line.
    init(
        _ name: String, programs: [String], in space: Namespace, megabytes: Int = 768,
        options: [String] = [], kernelOptions: String = ""
    ) throws {
        self.name = name
        scratch = try Scratch()
        try NetworkLab.run([Self.root + "/Tests/QEMU/image.sh", scratch("initrd")] + programs)
        try FileManager.default.createDirectory(atPath: Self.logs, withIntermediateDirectories: true)
        let listener = try Self.listener(scratch("commands"))
        let monitorListener = try Self.listener(scratch("monitor"))
        let log = "\(Self.logs)/\(name)"
        running = try space.start(
            [
                "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m",
                "\(megabytes)",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", Self.kernel, "-initrd", scratch("initrd"),
                "-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off \(kernelOptions)",
                "-serial", "file:\(log)-console.log",
                "-chardev",
                "socket,id=commands,path=\(scratch("commands")),server=off,logfile=\(log)-commands.log",
                "-serial", "chardev:commands",
                "-chardev", "socket,id=monitor,path=\(scratch("monitor")),server=off",
                "-mon", "chardev=monitor,mode=readline",
            ] + options)
        guard listener.isReadable(within: 20_000), monitorListener.isReadable(within: 20_000) else {
            throw LabError("QEMU does not start: \(running.errors)")
        }
        commands = Descriptor(taking: accept(listener.number, nil, nil))
        monitor = Descriptor(taking: accept(monitorListener.number, nil, nil))
        _ = try answer(to: "its boot", within: .seconds(120))
    }

    deinit { running.kill() }

    private static func listener(_ path: String) throws -> Descriptor {
        let listener = try Descriptor(AF_UNIX, APUS_SOCK_STREAM)
        try listener.bind(SocketAddress(path: path))
        guard listen(listener.number, 1) == 0 else { throw LabError.system("listen") }
        return listener
    }

    /// Gives QEMU itself a command.
    func order(_ command: String) throws { try monitor.write(Array("\(command)\n".utf8)) }

    /// Runs a command of its shell, in one line, and gives what it wrote.
    ///
    /// - Throws: `LabError` with that when its status is not `status`.
    @discardableResult
    func run(_ command: String, status: Int = 0, within limit: Duration = .seconds(60)) throws -> String {
        let (text, got) = try attempt(command, within: limit)
        guard got == status else { throw LabError("in the guest, `\(command)` ended with \(got):\n\(text)") }
        return text
    }

    /// The same for a command that may fail: its status too.
    func attempt(_ command: String, within limit: Duration = .seconds(60)) throws -> (
        output: String, status: Int
    ) {
        try commands.write(Array("\(command)\n".utf8))
        return try answer(to: command, within: limit)
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
        return running.waitForExit(within: .seconds(20))
    }

    /// What comes up to an EOT, and the number behind that.
    private func answer(to command: String, within limit: Duration) throws -> (output: String, status: Int) {
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
                let console = try? String(contentsOfFile: "\(Self.logs)/\(name)-console.log", encoding: .utf8)
                throw LabError(
                    """
                    the guest has \(ready ? "ended" : "not answered in \(limit)") during \(command): \
                    \(String(decoding: octets, as: UTF8.self))
                    \(running.errors)\(console ?? "")
                    """)
            }
        }
    }
}

extension Machine {
    /// Makes a veth link: vb in the machine's own network namespace, with 192.0.2.2 and 2001:db8::2, and va in a namespace
    /// `peer`, with 192.0.2.1 and 2001:db8::1. Needs the program `ip` of iproute2 in the machine.
    func makeLink() throws {
        try run("ip netns add peer && ip link add vb type veth peer name va netns peer")
        for (end, number) in [("-n peer", 1), ("", 2)] {
            let name = number == 1 ? "va" : "vb"
            try run("ip \(end) link set lo up && ip \(end) link set \(name) up")
            try run("ip \(end) address add 192.0.2.\(number)/24 dev \(name)")
            try run("ip \(end) address add 2001:db8::\(number)/64 dev \(name) nodad")
        }
    }
}
