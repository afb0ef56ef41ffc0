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
/// A filter is complete when a program is in its slot, which comes last. A folder N is made before its program is put
/// there and removed after another one is, so what a command that was killed has left is told from what is in force by
/// the program in the slot.
struct FilterStore: Hashable, Sendable {
    /// The folder of all filters.
    static let root = "apus/filter"

    /// The command by which root gives this user a folder for filters; nil where it is root itself, where no BPF file system
    /// is mounted, and where there is a folder. One that is out of sight is told by the command, which then fails.
    static var folderGrant: String? {
        guard geteuid() != 0, BPFFileSystem.isMounted else { return nil }
        let folder = root.prefix { $0 != "/" }
        // Sound: the path ends with a zero.
        guard unsafe access("\(BPFFileSystem.root)/\(folder)", F_OK) != 0 else { return nil }
        return BPFFileSystem.grantCommand(String(folder))
    }

    /// The interface's index, in the namespace of the calling thread.
    let index: Int32
    /// The folder of the filter, relative to the BPF file system.
    private let name: String

    /// Where the filter of an interface is kept.
    init(index: Int32) throws(BPFError) {
        self.init(index: index, namespace: try Self.namespace())
    }

    private init(index: Int32, namespace: UInt64) {
        self.index = index
        name = "\(Self.root)/\(namespace)-\(index)"
    }

    /// Those that are kept for interfaces of this network namespace, whether they are complete or not.
    static func all() throws(BPFError) -> [FilterStore] {
        let (own, entries) = (try namespace(), try entries())
        return entries.compactMap { entry in
            entry.namespace == own ? FilterStore(index: entry.index, namespace: own) : nil
        }
    }

    /// How many are kept for interfaces of other network namespaces, some of which may have ended. Which have nobody can
    /// tell: a namespace lives as long as anything holds it, be it a socket or a mount that is out of sight.
    static func countOfOthers() throws(BPFError) -> Int {
        let own = try namespace()
        return try entries().count { $0.namespace != own }
    }

    private static func entries() throws(BPFError) -> [(namespace: UInt64, index: Int32)] {
        guard BPFFileSystem.isMounted, try BPFFileSystem.isOwn(root) else { return [] }
        return try BPFFileSystem.entries(of: "\(BPFFileSystem.root)/\(root)").compactMap { entry in
            let parts = entry.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let namespace = UInt64(parts[0]), let index = Int32(parts[1]),
                entry == "\(namespace)-\(index)"
            else { return nil }
            return (namespace, index)
        }
    }

    /// The name that the interface has; of one that is gone the name it had, as far as that is written down, and its index.
    func interfaceName() throws(BPFError) -> String {
        if let name = try ApusXDP.interfaceName(index) { return name }
        let number = "interface \(index)"
        guard let found = try? InForce(self, interface: number) else { return number }
        return "\(found.state.interface) (\(number))"
    }

    /// The path of something in the folder.
    func path(_ part: String) -> String { "\(BPFFileSystem.root)/\(name)/\(part)" }

    /// Whether there is anything. Throws where others could have put it there.
    func exists() throws(BPFError) -> Bool { try BPFFileSystem.isOwn(name) }

    /// Makes the folder.
    func make() throws(BPFError) { _ = try BPFFileSystem.makeFolder(name) }

    /// Makes the folder of a rules program.
    func make(generation: Int) throws(BPFError) { _ = try BPFFileSystem.makeFolder("\(name)/\(generation)") }

    /// Removes the folder and all that is in it.
    func remove() throws(BPFError) { try BPFFileSystem.removeFolder("\(BPFFileSystem.root)/\(name)") }

    /// The numbers of the rules programs that have a folder.
    func generations() throws(BPFError) -> [Int] {
        try BPFFileSystem.entries(of: "\(BPFFileSystem.root)/\(name)").compactMap { UInt32($0).map(Int.init) }
            .sorted()
    }

    /// The inode of the calling thread's network namespace.
    private static func namespace() throws(BPFError) -> UInt64 {
        let path = "/proc/thread-self/ns/net"
        var facts = stat()
        // Sound: the kernel writes the struct.
        guard unsafe stat(path, &facts) == 0 else {
            throw BPFError("telling this network namespace from others by \(path)", code: errno)
        }
        return UInt64(facts.st_ino)
    }
}

extension FilterStore {
    /// Holds off other commands that change filters, for as long as it lives.
    ///
    /// What is locked is the folder of all filters, which nobody else may open. It is made for that where it is not there,
    /// and goes with the lock when nothing is in it.
    final class Lock {
        private let descriptor: Int32

        /// Waits for five seconds at most; nil when another command has not ended by then.
        init?() throws(BPFError) {
            for _ in 0..<500 {
                if let descriptor = try Self.attempt() {
                    self.descriptor = descriptor
                    return
                }
                usleep(10_000)
            }
            return nil
        }

        /// The folder, locked; nil when another command has it, or has removed it meanwhile.
        private static func attempt() throws(BPFError) -> Int32? {
            let path: String
            do throws(BPFError) {
                path = try BPFFileSystem.makeFolder(root)
            } catch {
                // The one above went between two steps.
                if error.code == ENOENT, BPFFileSystem.isMounted { return nil }
                guard error.code == EACCES else { throw error }
                throw BPFError(
                    error.operation, code: EPERM,
                    detail: "this BPF file system belongs to root; run this as root"
                        + (folderGrant.map { ", or have root make a folder of yours: `\($0)`" } ?? ""))
            }
            // Sound: the path ends with a zero.
            let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else {
                if errno == ENOENT { return nil }
                guard errno == EACCES else { throw BPFError("opening \(path)", code: errno) }
                throw BPFError(
                    "opening \(path)", code: EPERM, detail: "filters here belong to root; run this as root")
            }
            do throws(BPFError) {
                if try isHeld(descriptor, path) { return descriptor }
            } catch {
                close(descriptor)
                throw error
            }
            close(descriptor)
            return nil
        }

        /// Locks an open folder; false when another command has it, or the path is another one's by now.
        private static func isHeld(_ descriptor: Int32, _ path: String) throws(BPFError) -> Bool {
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                if errno == EWOULDBLOCK || errno == EINTR { return false }
                throw BPFError("locking \(path)", code: errno)
            }
            var (mine, there) = (stat(), stat())
            // Sound: the kernel writes the structs, and the path ends with a zero.
            guard unsafe fstat(descriptor, &mine) == 0, unsafe lstat(path, &there) == 0 else {
                if errno == ENOENT { return false }
                throw BPFError("locking \(path)", code: errno)
            }
            // One that was made by hand is not to be locked by everybody.
            guard mine.st_mode & 0o077 == 0 || fchmod(descriptor, S_IRWXU) == 0 else {
                throw BPFError("locking \(path)", code: errno)
            }
            return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev
        }

        deinit {
            var above = root.split(separator: "/")
            // Sound: the path ends with a zero. What is not empty stays.
            while !above.isEmpty, unsafe rmdir("\(BPFFileSystem.root)/\(above.joined(separator: "/"))") == 0 {
                above.removeLast()
            }
            close(descriptor)
        }
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
