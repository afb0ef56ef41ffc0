import ApusHost
import ApusXDP
import CFilter
import Glibc

/// Where the filters of this network namespace are kept in the BPF file system:
///
/// ```
/// apus/filter/NAMESPACE-INDEX/     one filter: the inode of the network namespace and the index of the interface
///     slot                         the PROG_ARRAY whose one slot has the rules in force
///     entry                        the program on the interface, which jumps there
///     N/                           a rules program, its maps, and what is written down about it
/// ```
///
/// A folder N is made before its program is put in the slot and removed after another one is, so what a command that
/// was killed has left is told from what is in force by the program in the slot.
struct FilterStore: Hashable, Sendable {
    /// The folder of all filters.
    static let root = "apus/filter"

    /// The interface's index, in the namespace of the calling thread.
    let index: Int32
    /// The folder of the filter, relative to the BPF file system.
    private let name: String

    /// Where the filter of an interface is kept.
    init(index: Int32) {
        self.index = index
        name = "\(Self.root)/\(Self.namespace)-\(index)"
    }

    /// Those that are kept for interfaces of this network namespace, whether they are complete or not.
    static var all: [FilterStore] {
        let prefix = "\(namespace)-"
        return BPFFileSystem.entries(of: "\(BPFFileSystem.root)/\(root)").compactMap { entry in
            entry.hasPrefix(prefix) ? Int32(entry.dropFirst(prefix.count)).map(FilterStore.init) : nil
        }
    }

    /// The name that the interface has; of one that is gone the name it had, as far as that is written down, and its index.
    var interfaceName: String {
        if let name = ApusXDP.interfaceName(index) { return name }
        let number = "interface \(index)"
        guard let found = try? InForce(self, interface: number) else { return number }
        return "\(found.state.interface) (\(number))"
    }

    /// The path of something in the folder.
    func path(_ part: String) -> String { "\(BPFFileSystem.root)/\(name)/\(part)" }

    /// Whether there is anything.
    var exists: Bool { unsafe access("\(BPFFileSystem.root)/\(name)", F_OK) == 0 }

    /// Makes the folder.
    func make() throws(BPFError) { _ = try BPFFileSystem.makeFolder(name) }

    /// Makes the folder of a rules program.
    func make(generation: Int) throws(BPFError) { _ = try BPFFileSystem.makeFolder("\(name)/\(generation)") }

    /// Removes the folder and all that is in it, and with the last one those above.
    func remove() throws(BPFError) {
        try BPFFileSystem.removeFolder("\(BPFFileSystem.root)/\(name)")
        var above = Self.root.split(separator: "/")
        while !above.isEmpty, unsafe rmdir("\(BPFFileSystem.root)/\(above.joined(separator: "/"))") == 0 {
            above.removeLast()
        }
    }

    /// The numbers of the rules programs that have a folder.
    var generations: [Int] {
        BPFFileSystem.entries(of: "\(BPFFileSystem.root)/\(name)").compactMap { Int($0) }.sorted()
    }

    /// The inode of the calling thread's network namespace.
    private static var namespace: UInt64 {
        var facts = stat()
        return unsafe stat("/proc/thread-self/ns/net", &facts) == 0 ? UInt64(facts.st_ino) : 0
    }
}

extension FilterStore {
    /// Holds off other commands that change filters, for as long as it lives.
    final class Lock {
        private let descriptor: Int32

        /// Waits for five seconds at most; nil when another command has not ended by then.
        init?() throws(BPFError) {
            // Not the folder of the filters, which goes with the last of them.
            let path = BPFFileSystem.root
            descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw BPFError("opening \(path)", code: errno) }
            for _ in 0..<500 {
                if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
                guard errno == EWOULDBLOCK || errno == EINTR else {
                    let code = errno
                    throw BPFError("locking \(path)", code: code)
                }
                usleep(10_000)
            }
            return nil
        }

        deinit { close(descriptor) }
    }
}

/// Nanoseconds of CLOCK_MONOTONIC as the programs count them, whatever time namespace this process is in
/// (time_namespaces(7)).
var monotonicTime: UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let time = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    return time &- monotonicOffset
}

/// By how much the clock of this process's time namespace is ahead of the machine's, modulo 2^64.
private let monotonicOffset: UInt64 = {
    for line in (contents(of: "/proc/self/timens_offsets") ?? "").split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count == 3, words[0] == "monotonic", let seconds = Int64(words[1]),
            let nanoseconds = Int64(words[2])
        else { continue }
        return UInt64(bitPattern: seconds &* 1_000_000_000 &+ nanoseconds)
    }
    return 0
}()
