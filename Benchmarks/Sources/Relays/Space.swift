import CTraffic
import Foundation

/// A network namespace with a mount namespace of its own, in which /run is empty and private and /sys shows it.
///
/// Both live as long as their holder process, and that as long as this process has the other end of its standard
/// input: however a run ends, nothing is left, not even a name.
package final class Space {
    let pid: pid_t
    private let holder: Child
    private let leash: Int32

    private static let script = """
        set -e
        mount -t sysfs sysfs /sys
        mount -t bpf bpf /sys/fs/bpf
        mount -t tmpfs -o mode=700 tmpfs /run
        for scope in all default; do echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6; done 2>/dev/null || true
        ip link set lo up
        echo ready
        set +e
        cat >/dev/null
        for process in $(find -L /proc/[0-9]*/ns/net -samefile /proc/self/ns/net 2>/dev/null); do
            id=${process#/proc/}
            [ "${id%/ns/net}" = $$ ] || kill -9 "${id%/ns/net}" 2>/dev/null
        done
        """

    /// Makes one; its name is what `ps` shows.
    package init(_ name: String) throws {
        var (read, write): (Int32, Int32) = (-1, -1)
        let made = unsafe traffic_pipe(&read, &write)
        guard made == 0 else { throw RelayError.code("pipe2", -made) }
        leash = write
        holder = try Child(
            [
                "unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", Self.script,
                "apus-bench-\(getpid())-\(name)",
            ], input: read)
        pid = holder.pid
        try holder.wait(for: "ready")
    }

    deinit {
        close(leash)
        try? eventually("the namespace is gone", seconds: 5) { !holder.isRunning }
    }

    /// Runs `ip` with these words.
    package func ip(_ words: String) throws { try run("ip \(words)") }

    /// Runs a program, whose words have no blanks in them, to its end.
    package func run(_ line: String) throws {
        try Child.run(line.split(separator: " ").map(String.init), in: pid)
    }

    /// Runs `body` on a thread of its own that is in both, and waits for it.
    package func enter<R>(_ body: @escaping () throws -> R) throws -> R {
        let pid = pid
        return try onThread {
            let code = traffic_enter(pid)
            guard code == 0 else { throw RelayError.code("setns", code) }
            return try body()
        }
    }
}

/// Runs `body` on a thread of its own, and waits for it.
func onThread<R>(_ body: @escaping () throws -> R) throws -> R {
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var result: Result<R, any Error>?
    nonisolated(unsafe) let body = body
    // Sound: it is only read after the thread has said that it is done.
    Thread.detachNewThread {
        unsafe result = Result { unsafe try body() }
        done.signal()
    }
    done.wait()
    return try unsafe result!.get()
}
