import ApusConfig
import CLinux
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusRuntime

@Suite("The file of the control socket")
struct ServiceControlFileTests {
    private let folder = Folder()
    private var path: String { folder.path + "/control.sock" }

    private func facts(_ path: String) -> stat? {
        var facts = stat()
        return unsafe lstat(path, &facts) == 0 ? facts : nil
    }

    private func configuration(mode: UInt32 = 0o600, group: String? = nil) -> ControlConfiguration {
        ControlConfiguration(socket: path, mode: FileMode(bits: mode), group: group)
    }

    @Test("it has the mode of the configuration, whatever the umask, and goes with the socket")
    func mode() throws {
        for mode: UInt32 in [0o600, 0o660, 0o666] {
            let listener = try ControlListener(configuration(mode: mode))
            #expect(facts(path).map { $0.st_mode & 0o7777 } == mode)
            _ = consume listener
            #expect(facts(path) == nil)
        }
    }

    @Test("it is given to the group of the configuration, and a group that is not there is named")
    func group() throws {
        let listener = try ControlListener(configuration(mode: 0o660, group: "root"))
        #expect(facts(path)?.st_gid == 0)
        _ = consume listener
        let error = #expect(throws: ServiceError.noSuchGroup("nosuchgroup")) {
            _ = try ControlListener(configuration(group: "nosuchgroup"))
        }
        #expect(error?.description.contains("\"nosuchgroup\"") == true)
        #expect(facts(path) == nil)
    }

    @Test("a socket that is served is not replaced, and its process is named")
    func live() throws {
        let listener = try ControlListener(configuration())
        let before = facts(path)?.st_ino
        #expect(throws: ServiceError.socketInUse(path: path, process: getpid())) {
            _ = try ControlListener(configuration())
        }
        #expect(facts(path)?.st_ino == before)
        _ = consume listener
    }

    @Test("a socket whose process is gone is replaced")
    func stale() throws {
        try NetworkLab.run([
            "/usr/bin/python3", "-c",
            "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()", path,
        ])
        let left = try #require(facts(path))
        let listener = try ControlListener(configuration())
        #expect(facts(path)?.st_mtim.tv_nsec != left.st_mtim.tv_nsec)
        #expect(facts(path).map { $0.st_mode & 0o777 } == 0o600)
        _ = consume listener
    }

    @Test("a file or a symbolic link of that name is left alone")
    func otherFile() throws {
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ServiceError.notASocket(path: path)) { _ = try ControlListener(configuration()) }
        #expect(facts(path) != nil)
        unsafe unlink(path)
        #expect(unsafe symlink("/etc/passwd", path) == 0)
        #expect(throws: ServiceError.notASocket(path: path)) { _ = try ControlListener(configuration()) }
        #expect(facts(path).map { $0.st_mode & S_IFMT } == S_IFLNK)
    }

    @Test("what somebody else has put in its place is not removed")
    func replaced() throws {
        let listener = try ControlListener(configuration())
        unsafe unlink(path)
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        _ = consume listener
        #expect(facts(path) != nil)
    }

    @Test("its mode and group are never given to what somebody else has put in its place")
    func replacedBeforeChange() throws {
        let other = folder.path + "/forward.json5"
        close(unsafe open(other, O_CREAT | O_WRONLY, 0o600))
        var listener = try ControlListener(configuration())
        unsafe unlink(path)
        #expect(unsafe symlink(other, path) == 0)
        let error = #expect(throws: ServiceError.socketReplaced(path: path)) {
            try listener.change(to: configuration(mode: 0o666, group: "daemon"))
        }
        #expect(error?.description.contains("was replaced by another file") == true)
        #expect(facts(other).map { $0.st_mode & 0o7777 } == 0o600 && facts(other)?.st_gid == getegid())
        unsafe unlink(path)
        #expect(unsafe link(other, path) == 0)
        #expect(throws: ServiceError.socketReplaced(path: path)) {
            try listener.change(to: configuration(mode: 0o666))
        }
        #expect(facts(other).map { $0.st_mode & 0o7777 } == 0o600)
    }

    @Test("a folder that is not there, and a lock that somebody holds, are named")
    func folders() throws {
        let nowhere = ControlConfiguration(socket: "/no-such-folder/apus/control.sock")
        let error = #expect(throws: ServiceError.self) { _ = try ControlListener(nowhere) }
        #expect(error == .noFolder(path: nowhere.socket, folder: "/no-such-folder/apus"))
        let lock = path + ".lock"
        let held = unsafe open(lock, O_CREAT | O_RDWR, 0o600)
        #expect(flock(held, LOCK_EX) == 0)
        #expect(throws: ServiceError.lockHeld(path: path, lock: lock)) {
            _ = try ControlListener(configuration())
        }
        close(held)
        // Left over by one that was killed: it is taken over, and goes.
        let listener = try ControlListener(configuration())
        #expect(facts(lock) == nil)
        _ = consume listener
    }

    @Test("a folder that is missing is made in /run, which is empty after each boot", .requires(.root))
    func newFolder() throws {
        let inner = "/run/apus-test-\(getpid())"
        let configuration = ControlConfiguration(socket: inner + "/control.sock")
        defer { unsafe rmdir(inner) }
        let listener = try ControlListener(configuration)
        #expect(facts(inner).map { $0.st_mode } == S_IFDIR | 0o755)
        #expect(facts(configuration.socket) != nil)
        _ = consume listener
        // It stays, as a service manager's would not: the next start finds it.
        #expect(facts(inner) != nil && facts(configuration.socket) == nil)
        _ = try ControlListener(configuration)
        #expect(unsafe rmdir(inner) == 0)
        // One level only, and nowhere else.
        for missing in [inner + "/deep", folder.path + "/apus", "/apus-test-\(getpid())"] {
            let socket = missing + "/control.sock"
            #expect(throws: ServiceError.noFolder(path: socket, folder: missing)) {
                _ = try ControlListener(ControlConfiguration(socket: socket))
            }
            #expect(facts(missing) == nil)
        }
    }

    @Test("a folder that anybody may write to is refused, sticky or not", arguments: [0o777, 0o1777, 0o1773])
    func openFolder(mode: mode_t) throws {
        #expect(unsafe chmod(folder.path, mode) == 0)
        let error = #expect(throws: ServiceError.openFolder(path: path, folder: folder.path)) {
            _ = try ControlListener(configuration())
        }
        #expect(error?.description.contains("anybody may write to the folder") == true)
        #expect(facts(path) == nil && facts(path + ".lock") == nil)
        #expect(unsafe chmod(folder.path, 0o775) == 0)
        _ = try ControlListener(configuration())
    }

    @Test("another user who holds a lock on the folder does not hold up the start", .requires(.root))
    func foreignLock() throws {
        #expect(unsafe chmod(folder.path, 0o755) == 0)
        let holder = try Script(
            """
            import os, fcntl, time
            os.setgid(65534); os.setuid(65534)
            fcntl.flock(os.open("\(folder.path)", os.O_RDONLY), fcntl.LOCK_EX)
            try: open("\(path).lock", "w"); print("made")
            except PermissionError: print("held")
            time.sleep(60)
            """)
        #expect(holder.line() == "held")
        _ = try ControlListener(configuration())
    }

    @Test("of many that start at once one gets the socket, and the others are told who has it")
    func race() throws {
        try NetworkLab.run([
            "/usr/bin/python3", "-c",
            "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()", path,
        ])
        let (configuration, path) = (configuration(), path)
        let winners = Tally()
        let threads = try (0..<8).map { number in
            try WorkerThread(name: "start-\(number)", cpu: nil) {
                do throws(ServiceError) {
                    let listener = try ControlListener(configuration)
                    winners.count.add(1, ordering: .relaxed)
                    usleep(500_000)
                    _ = consume listener
                } catch {
                    if error == .socketInUse(path: path, process: getpid()) {
                        winners.told.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(winners.count.load(ordering: .relaxed) == 1 && winners.told.load(ordering: .relaxed) == 7)
    }

    private final class Tally: Sendable {
        let count = Atomic<Int>(0)
        let told = Atomic<Int>(0)
    }

    @Test("a failure leaves no descriptor open and no file behind")
    func noLeak() throws {
        let wrong = [configuration(group: "nosuchgroup"), ControlConfiguration(socket: folder.path)]
        for configuration in wrong {
            #expect(throws: ServiceError.self) { _ = try ControlListener(configuration) }
        }
        let left = descriptorsLeft {
            for configuration in wrong { for _ in 0..<40 { _ = try? ControlListener(configuration) } }
        }
        #expect(left == 0)
        // It would be seen.
        #expect(descriptorsLeft { for _ in 0..<3 { _ = socket(AF_UNIX, APUS_SOCK_STREAM, 0) } } == 3)
        #expect(facts(path) == nil)
    }
}
