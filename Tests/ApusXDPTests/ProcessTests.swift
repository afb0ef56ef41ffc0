import ApusPorts
import ApusWire
import ApusXDP
import CLinux
import Foundation
import Glibc
import NetworkLab
import Testing

/// The program beside the test's own executable.
private func holder(_ arguments: String...) throws -> [String] {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return [own.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/XDPHolder"] + arguments
}

@Suite("AF_XDP and processes", .requires(.root, .program("setpriv")))
struct ProcessTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `After kill -9 the host's traffic goes on, and the next start works`(_ mode: XDPMode) throws {
        let net = try Pair("kill")
        defer { net.lab.close() }
        let wire = try net.a.enter { try Wire("va") }
        let command = try holder("vb", "192.0.2.2:5004", mode.rawValue)
        func echoes(_ number: Int) throws -> Bool {
            try wire.send(Numbered.frame(number))
            return wire.receiveOurs() == Numbered.frame(number)
        }
        let first = try net.b.start(command)
        try first.waitForLine(containing: "ready")
        #expect(try echoes(1))
        // Killed while packets come in.
        for number in 0..<200 { try wire.send(Numbered.frame(number)) }
        first.kill()
        _ = wire.receiveAll()
        #expect(try !echoes(2))

        try net.a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
        try net.b.enter {
            // The datagrams that it took go to the kernel's sockets now.
            let socket = Glibc.socket(AF_INET, APUS_SOCK_DGRAM, 0)
            defer { close(socket) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(5004).bigEndian
            let bound = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(socket, $0, 16) }
            }
            #expect(bound == 0)
            let mac = try net.b.run("cat", "/sys/class/net/vb/address").standardOutput
            var datagram = Datagram()
            datagram.destinationMAC = MACAddress(mac.split(separator: "\n").first.map(String.init) ?? "")!
            try wire.send(datagram.frame)
            var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            #expect(unsafe poll(&ready, 1, 2000) == 1)

            let left = Leftover.all()
            #expect(left.map(\.pid) == [first.pid] && left.first?.mode == mode)
            #expect(left.first?.description.contains("apus pid \(first.pid), which is gone") == true)
        }
        let second = try net.b.start(command)
        try second.waitForLine(containing: "ready")
        #expect(second.output.contains("removed a leftover"))
        #expect(try echoes(3))
        try net.b.enter { #expect(Leftover.all().isEmpty) }
        second.kill()
        try net.b.enter {
            for leftover in Leftover.all() { try leftover.clean() }
            #expect(Leftover.all().isEmpty)
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
    }

    @Test func `A second process on the same interface is refused by the name of the first`() throws {
        let net = try Pair("second")
        defer { net.lab.close() }
        let first = try net.b.start(try holder("vb", "192.0.2.2:5004", "native"))
        try first.waitForLine(containing: "ready")
        try net.b.enter {
            let error = try #require(throws: XDPError.self) { _ = try XDPInterface("vb") }
            #expect("\(error)".hasPrefix("vb: is held by apus pid \(first.pid);"))
        }
        let wire = try net.a.enter { try Wire("va") }
        try wire.send(Numbered.frame(1))
        #expect(wire.receiveOurs() == Numbered.frame(1))
    }

    @Test func `Missing capabilities are named`() throws {
        let net = try Pair("caps")
        defer { net.lab.close() }
        // Copied to where another user can reach it.
        let command = try holder("vb", "192.0.2.2:5004", "native")
        let folder = try NetworkLab.run(["mktemp", "--directory"]).standardOutput.split(separator: "\n")[0]
        defer { try? FileManager.default.removeItem(atPath: String(folder)) }
        let copy = "\(folder)/holder"
        try NetworkLab.run(["install", "-m", "755", command[0], copy])
        try NetworkLab.run(["chmod", "755", String(folder)])
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let none = try net.b.start(user + [copy] + command.dropFirst())
        #expect(none.waitForExit() == .exited(77))
        #expect(
            none.output.contains(
                "vb: not permitted to open an interface with AF_XDP: missing CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON;"
            ))
    }

    /// Starts the holder with these capabilities and no others.
    private func start(_ net: Pair, with capabilities: [String]) throws -> Running {
        let set = "-all" + capabilities.map { ",+\($0)" }.joined()
        return try net.b.start(
            ["setpriv", "--bounding-set=\(set)", "--inh-caps=\(set)"]
                + holder("vb", "192.0.2.2:5004", "native"))
    }

    @Test func `Each capability that is needed is named, and those together are enough`() throws {
        let net = try Pair("capset")
        defer { net.lab.close() }
        let needed = ["net_admin", "net_raw", "bpf", "perfmon"]
        for name in needed {
            let one = try start(net, with: needed.filter { $0 != name } + ["ipc_lock"])
            #expect(one.waitForExit() == .exited(77))
            #expect(
                one.output.contains(
                    "vb: not permitted to open an interface with AF_XDP: missing CAP_\(name.uppercased());"),
                "\(one.output)")
        }
        // CAP_SYS_ADMIN stands in for both, as before Linux 5.8.
        for enough in [needed + ["ipc_lock"], ["net_admin", "net_raw", "sys_admin", "ipc_lock"]] {
            let all = try start(net, with: enough)
            try all.waitForLine(containing: "ready")
            #expect(all.output.contains("\nattached\ntakes fragments\nready\n"), "\(all.output)")
            #expect(all.stop(SIGTERM) == .exited(0))
            try expectNothingAttached(net)
        }
    }

    private func expectNothingAttached(_ net: Pair, sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        let link = try net.b.run("ip", "-d", "link", "show", "vb").standardOutput
        #expect(!link.contains("xdp"), sourceLocation: sourceLocation)
    }

    @Test(arguments: [SIGINT, SIGTERM], [true, false])
    func `Without CAP_SYS_ADMIN it knows that it is attached, and nothing is left after the end`(
        _ signal: Int32, hasBPFFileSystem: Bool
    ) throws {
        let net = try Pair("sysadmin")
        defer { net.lab.close() }
        if !hasBPFFileSystem { try net.b.run("umount", "/sys/fs/bpf") }
        let one = try start(net, with: ["net_admin", "net_raw", "bpf", "perfmon", "ipc_lock"])
        try one.waitForLine(containing: "ready")
        #expect(one.output.contains("\nattached\n"), "\(one.output)")
        #expect(one.stop(signal) == .exited(0))
        try expectNothingAttached(net)
    }

    @Test func `A start without CAP_SYS_ADMIN that fails after the program was attached takes it off again`()
        throws
    {
        let net = try Pair("failed")
        defer { net.lab.close() }
        try net.b.enter {
            let taken = try XDPInterface(sendingOn: "vb").open(queue: 0)
            let one = try start(net, with: ["net_admin", "net_raw", "bpf", "perfmon", "ipc_lock"])
            #expect(one.waitForExit() == .exited(77))
            #expect(one.output.contains("another AF_XDP socket is bound to queue 0"), "\(one.output)")
            try expectNothingAttached(net)
            _ = consume taken
        }
    }

    @Test func `The counters are read where /sys does not say how many CPUs there are`() throws {
        let net = try Pair("nosys")
        defer { net.lab.close() }
        // In a mount namespace of that process alone.
        let script = "mount -t tmpfs none /sys && exec \"$@\""
        let command = [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
            // The C library ends a process that writes beyond what it allocated.
            "env", "LD_PRELOAD=libc_malloc_debug.so.0", "GLIBC_TUNABLES=glibc.malloc.check=3",
        ]
        let one = try net.b.start(command + holder("vb", "192.0.2.2:5004", "native"))
        try one.waitForLine(containing: "ready")
        #expect(one.stop(SIGTERM) == .exited(0), "\(one.output) \(one.errors)")
        #expect(one.output.contains("\nsteered 0\n"), "\(one.output)")
    }

    @Test func `A leftover that the kernel does not show is not called a dispatcher of another`() throws {
        let net = try Pair("hidden")
        defer { net.lab.close() }
        let enough = ["net_admin", "net_raw", "bpf", "perfmon", "ipc_lock"]
        let first = try start(net, with: enough)
        try first.waitForLine(containing: "ready")
        first.kill()
        let second = try start(net, with: enough)
        #expect(second.waitForExit() == .exited(77))
        #expect(
            second.output.contains("without CAP_SYS_ADMIN the kernel does not show whose it is"),
            "\(second.output)")
        #expect(second.output.contains("apus doctor vb --clean"))
    }
}
