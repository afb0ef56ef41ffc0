import Glibc
import NetworkLab
import Testing

@Suite(.requires(.root), .timeLimit(.minutes(2)))
struct NetworkLabTests {
    @Test("two namespaces joined by a link reach each other at once, by IPv4 and by IPv6")
    func reach() throws {
        let lab = NetworkLab("reach")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let b = try lab.namespace("b")
        try lab.link(
            a, "va", ["192.0.2.1/24", "2001:db8::1/64"], b, "vb", ["192.0.2.2/24", "2001:db8::2/64"],
            queues: 3)
        try a.run("ping", "-n", "-c", "1", "-W", "2", "192.0.2.2")
        try a.run("ping", "-n", "-c", "1", "-W", "2", "2001:db8::2")
        let queues = try b.run("sh", "-c", "ls -d /sys/class/net/vb/queues/rx-* | wc -l")
        #expect(queues.standardOutput == "3\n")
    }

    @Test("a closure that enters a namespace sees its interfaces only, and its caller stays outside")
    func enter() throws {
        let lab = NetworkLab("enter")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let b = try lab.namespace("b")
        try lab.link(a, "onlyhere", b, "onlythere")
        let inside = try a.enter {
            unsafe (if_nametoindex("onlyhere") != 0, if_nametoindex("onlythere") != 0)
        }
        #expect(inside == (true, false))
        #expect(unsafe if_nametoindex("onlyhere") == 0)
        let sysfs = try a.enter { unsafe access("/sys/class/net/onlyhere", F_OK) }
        #expect(sysfs == 0)
        #expect(unsafe access("/sys/class/net/onlyhere", F_OK) != 0)
    }

    @Test("what a process pins in the BPF file system is seen by others of its namespace and nobody else")
    func bpffs() throws {
        let lab = NetworkLab("bpffs")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let b = try lab.namespace("b")
        try a.run("mkdir", "/sys/fs/bpf/left")
        #expect(try a.run("stat", "-f", "-c", "%T", "/sys/fs/bpf").standardOutput == "bpf_fs\n")
        #expect(try a.enter { unsafe access("/sys/fs/bpf/left", F_OK) } == 0)
        #expect(try b.enter { unsafe access("/sys/fs/bpf/left", F_OK) } != 0)
        #expect(unsafe access("/sys/fs/bpf/left", F_OK) != 0)
    }

    @Test("a failing command throws what it wrote, a missing one is named, one that takes too long is ended")
    func failures() throws {
        let lab = NetworkLab("failures")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let failed = #expect(throws: LabError.self) { try a.run("ip", "link", "show", "dev", "eth9") }
        #expect(failed?.description.contains("eth9\" does not exist") == true)
        let missing = #expect(throws: LabError.self) { try a.run("no-such-program") }
        #expect(missing?.description.contains("no-such-program") == true)
        let start = ContinuousClock.now
        let slow = #expect(throws: LabError.self) { try a.run(["sleep", "60"], timeout: .milliseconds(200)) }
        #expect(slow?.description.contains("did not end") == true)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("a started process gives its lines while it runs, takes signals, and tells how it ended")
    func running() throws {
        let lab = NetworkLab("running")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let program = "trap 'echo bye >&2; exit 7' TERM; echo up and running; while :; do sleep 0.05; done"
        let process = try a.start(["sh", "-c", program])
        #expect(try process.waitForLine(containing: "up and") == "up and running")
        #expect(process.isRunning)
        #expect(process.stop() == .exited(7))
        #expect(process.errors == "bye\n")
        #expect(!process.isRunning)
        let killed = try a.start(["sleep", "60"])
        #expect(killed.kill() == .signaled(SIGKILL))
        let dead = #expect(throws: LabError.self) { try killed.waitForLine(containing: "never") }
        #expect(dead?.description.contains("ended") == true)
    }

    @Test(
        "closing the lab ends its processes, grandchildren in sessions of their own too, and its namespaces")
    func close() throws {
        let lab = NetworkLab("close")
        let a = try lab.namespace("a")
        let process = try a.start(["sh", "-c", "setsid sleep 61 & echo $!; wait"])
        let grandchild = try #require(pid_t(try process.waitForLine(containing: "")))
        #expect(kill(grandchild, 0) == 0)
        let inode = try a.run("stat", "-L", "-c", "%i", "/proc/self/ns/net").standardOutput
        #expect(try namespaces().contains(inode))
        lab.close()
        #expect(kill(process.pid, 0) != 0)
        try eventually("the grandchild is gone") { kill(grandchild, 0) != 0 }
        try eventually("the namespace is gone") { try !namespaces().contains(inode) }
    }

    @Test("when the process that made a lab is killed, its namespaces and processes go with it")
    func abandoned() throws {
        // The holder's end of the contract: its input ends, whatever the reason.
        let lab = NetworkLab("abandoned")
        defer { lab.close() }
        let a = try lab.namespace("a")
        let process = try a.start(["sleep", "62"])
        a.abandon()
        #expect(process.waitForExit() == .signaled(SIGKILL))
        try eventually("its holder is gone") { unsafe access("/proc/\(a.pid)/ns/net", F_OK) != 0 }
    }

    /// The network namespaces of this machine that a process is in, as `lsns` lists them.
    private func namespaces() throws -> String {
        try NetworkLab.run(["lsns", "-n", "-t", "net", "-o", "NS"]).standardOutput
    }
}
