import Glibc
import Synchronization

/// The holders and processes of one lab; closes it when the lab and all its namespaces are released.
final class LabState: Sendable {
    private struct Holder {
        let pid: pid_t
        /// While this end of its standard input is open the holder waits.
        var leash: CInt
        let name: String
    }

    private struct Contents {
        var holders: [Holder] = []
        var processes: [Running] = []
    }

    private let contents = Mutex(Contents())

    /// Prepares the namespace, says so, and waits for the end of its input, which comes when the lab closes
    /// it or when the process that held the other end is gone. Then it kills what is left in the namespace,
    /// grandchildren included, and with its own end the namespace is gone.
    private static let script = """
        set -e
        mount -t sysfs sysfs /sys
        mount -t bpf bpf /sys/fs/bpf
        for scope in all default; do
            echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_dad
            echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_ra
        done
        ip link set lo up
        echo ready
        set +e
        cat >/dev/null
        for round in 1 2 3; do
            for process in $(find -L /proc/[0-9]*/ns/net -samefile /proc/self/ns/net 2>/dev/null); do
                id=${process#/proc/}
                [ "${id%/ns/net}" = $$ ] || kill -9 "${id%/ns/net}" 2>/dev/null
            done
        done
        exit 0
        """

    func addHolder(_ name: String) throws -> pid_t {
        let output = try memoryFile("output")
        let error = try memoryFile("error")
        let ends = try pipe()
        defer { for file in [output, error, ends.read] { Glibc.close(file) } }

        let pid: pid_t
        do {
            pid = try spawn(
                ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", Self.script, name],
                environment: [:], streams: (ends.read, output, error))
        } catch {
            Glibc.close(ends.write)
            throw error
        }
        let holder = Holder(pid: pid, leash: ends.write, name: name)
        contents.withLock { $0.holders.append(holder) }

        let deadline = ContinuousClock.now + .seconds(20)
        while !text(of: output).contains("ready") {
            var facts = unsafe siginfo_t()
            let looked = unsafe waitid(P_PID, id_t(pid), &facts, WEXITED | WNOHANG | WNOWAIT)
            let ended = unsafe looked == 0 && facts.si_signo != 0
            guard !ended, ContinuousClock.now < deadline else {
                throw LabError(
                    "cannot make the namespace \(name); are you root? \(text(of: error))")
            }
            usleep(2000)
        }
        return pid
    }

    /// Lets go of a holder's input, as the end of the test process would.
    func abandon(_ pid: pid_t) {
        contents.withLock { contents in
            guard let index = contents.holders.firstIndex(where: { $0.pid == pid }) else { return }
            Glibc.close(contents.holders[index].leash)
            contents.holders[index].leash = -1
        }
    }

    func add(_ process: Running) {
        contents.withLock { $0.processes.append(process) }
    }

    /// Ends all processes, then all namespaces. May be called again.
    func close() {
        let old = contents.withLock { contents in
            defer { contents = Contents() }
            return contents
        }
        for process in old.processes { process.kill() }
        for holder in old.holders where holder.leash >= 0 { Glibc.close(holder.leash) }
        for holder in old.holders where reap(holder.pid, within: .seconds(10)) == nil {
            kill(holder.pid, SIGKILL)
            _ = reap(holder.pid, within: .seconds(5))
        }
    }

    deinit { close() }
}
