import CLinux
import Glibc

/// A network namespace of a lab, with a mount namespace of its own in which /sys shows its interfaces
/// and /sys/fs/bpf is one BPF file system for all its processes and threads: what one pins, the others
/// see, also after it was killed.
///
/// It lives as long as its holder process does, and the holder lives until the lab closes or the process
/// that made the lab is gone, however it went. Nothing is bound to a name in the file system, so nothing
/// can be left over; to look inside by hand: `nsenter -t PID -n -m`.
public final class Namespace: Sendable {
    /// The name in messages: unique in this machine, with the process id in it.
    public let name: String
    /// The holder process, for `ip link set … netns PID`.
    public let pid: pid_t
    // Keeps the lab open as long as any of its namespaces is in use.
    let lab: LabState

    init(_ name: String, lab: LabState) throws {
        self.name = name
        self.lab = lab
        pid = try lab.addHolder(name)
    }

    /// What enters the namespace and then becomes the command, with the same process id.
    var prefix: [String] {
        ["nsenter", "--net=/proc/\(pid)/ns/net", "--mount=/proc/\(pid)/ns/mnt", "--wdns=/", "--"]
    }

    /// Runs a command in the namespace.
    ///
    /// - Throws: `LabError` with what the command wrote if it fails or does not end in time.
    @discardableResult
    public func run(
        _ command: [String], environment: [String: String] = [:], input: String = "",
        timeout: Duration = .seconds(30)
    ) throws -> Output {
        try Running(command, prefix: prefix, environment: environment, input: input).finish(within: timeout)
    }

    /// Runs a command in the namespace: `try a.run("ip", "link", "set", "va", "down")`.
    @discardableResult
    public func run(_ command: String...) throws -> Output { try run(command) }

    /// Starts a command in the namespace; the lab ends it at the latest when it closes.
    public func start(
        _ command: [String], environment: [String: String] = [:], input: String = ""
    ) throws -> Running {
        let running = try Running(command, prefix: prefix, environment: environment, input: input)
        lab.add(running)
        return running
    }

    /// Runs `body` on a fresh thread that is in the namespace, and waits for it.
    ///
    /// Sockets that it opens stay in the namespace and can be given back and used from any thread. The
    /// working directory of the thread is the caller's. A body that does not return in `timeout` ends the
    /// test run with a message, since a thread can't be stopped from outside.
    ///
    /// - Throws: what `body` throws, or `LabError` if the thread can't enter.
    public func enter<R: ~Copyable>(
        timeout: Duration = .seconds(60), _ body: () throws -> R
    ) throws -> R {
        var result: Result<R, any Error>?
        try withoutActuallyEscaping(body) { body in
            try onNewThread(named: name, timeout: timeout) {
                do {
                    try self.join()
                    result = .success(try body())
                } catch {
                    result = .failure(error)
                }
            }
        }
        return try result.take()!.get()
    }

    /// Does to the namespace what a sudden end of the test process does: nobody holds it any more.
    public func abandon() { lab.abandon(pid) }

    /// Moves the calling thread, and only it, into the namespace for good.
    private func join() throws {
        let directory = unsafe getcwd(nil, 0)
        defer { unsafe free(directory) }
        // A thread that shares its root and working directory with others can't change mount namespaces.
        guard unshare(CInt(APUS_CLONE_FS)) == 0 else { throw LabError.call("unshare(CLONE_FS)", errno) }
        for (kind, flag) in [("net", APUS_CLONE_NEWNET), ("mnt", APUS_CLONE_NEWNS)] {
            let path = "/proc/\(pid)/ns/\(kind)"
            let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw LabError.call("namespace \(name): \(path)", errno) }
            defer { close(file) }
            guard setns(file, CInt(flag)) == 0 else {
                throw LabError.call("namespace \(name): setns(\(path))", errno)
            }
        }
        if let directory = unsafe directory { _ = unsafe chdir(directory) }
    }
}
