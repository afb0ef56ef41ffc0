import CLinux
import Glibc

/// A pipe whose ends are not inherited by programs.
func pipe() throws -> (read: CInt, write: CInt) {
    var ends = InlineArray<2, CInt>(repeating: -1)
    var span = ends.mutableSpan
    let made = unsafe span.withUnsafeMutableBufferPointer { unsafe Glibc.pipe($0.baseAddress!) }
    guard made == 0 else { throw LabError.call("pipe", errno) }
    for end in [ends[0], ends[1]] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

/// How a process ended.
public enum ExitStatus: Sendable, Equatable {
    /// It called exit(3) with this code.
    case exited(Int32)
    /// This signal ended it.
    case signaled(Int32)

    init(wait status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited(status >> 8 & 0xff) : .signaled(signal)
    }
}

/// Starts a program with its own process group, no inherited descriptors, default signals.
///
/// - Parameters:
///   - arguments: the program, looked up in PATH, and its arguments.
///   - streams: the descriptors that become standard input, output and error.
/// - Returns: the process id. The caller reaps it.
func spawn(
    _ arguments: [String], environment: [String: String], streams: (input: CInt, output: CInt, error: CInt)
) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
    }
    // dup2 onto itself would keep close-on-exec, but the lab's descriptors are never 0, 1 or 2.
    unsafe posix_spawn_file_actions_adddup2(&actions, streams.input, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, streams.output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, streams.error, 2)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)

    var none = sigset_t()
    var every = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&every)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &every)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var child: pid_t = 0
    let code = unsafe withCStrings(arguments) { argv in
        unsafe withCStrings(mergedEnvironment(environment)) { envp in
            unsafe posix_spawnp(&child, argv[0]!, &actions, &attributes, argv, envp)
        }
    }
    guard code == 0 else { throw LabError.call("cannot start \(arguments.joined(separator: " "))", code) }
    return child
}

/// Reaps a child if it has ended; with a time limit of zero it only looks.
func reap(_ pid: pid_t, within limit: Duration) -> ExitStatus? {
    let deadline = ContinuousClock.now + limit
    while true {
        var status: CInt = 0
        let result = unsafe waitpid(pid, &status, WNOHANG)
        if result == pid { return ExitStatus(wait: status) }
        if result < 0, errno == ECHILD { return .exited(0) }
        if ContinuousClock.now >= deadline { return nil }
        usleep(2000)
    }
}

/// A file in memory that takes the output of a process: no pipe that fills up, no reader thread.
func memoryFile(_ name: String, content: String = "") throws -> CInt {
    // Above 2, or the descriptor would collide with the standard streams in `spawn`.
    let first = unsafe memfd_create(name, UInt32(APUS_MFD_CLOEXEC))
    guard first >= 0 else { throw LabError.call("memfd_create", errno) }
    let file = fcntl(first, F_DUPFD_CLOEXEC, 3)
    close(first)
    var text = content
    text.withUTF8 { bytes in
        _ = unsafe pwrite(file, bytes.baseAddress, bytes.count, 0)
    }
    return file
}

/// All that was written to a memory file so far, ill-formed bytes replaced.
func text(of file: CInt) -> String {
    let size = max(0, Int(lseek64End(file)))
    guard size > 0 else { return "" }
    return unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { buffer in
        let count = unsafe pread(file, buffer.baseAddress, size, 0)
        return unsafe String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}

/// The size, by fstat: the offset belongs to the writer and must not be moved.
private func lseek64End(_ file: CInt) -> off_t {
    var facts = stat()
    return unsafe fstat(file, &facts) == 0 ? facts.st_size : 0
}

/// Lends a null-terminated array of C strings.
private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    // The copies live until `body` has returned; posix_spawn keeps none of them.
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
}

private func mergedEnvironment(_ extra: [String: String]) -> [String] {
    var merged: [String] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
        let text = unsafe String(cString: entry)
        if extra[String(text.prefix { $0 != "=" })] == nil { merged.append(text) }
        unsafe next += 1
    }
    return merged + extra.map { "\($0)=\($1)" }
}

/// The path of a program by PATH, or nil.
func path(ofProgram name: String) -> String? {
    if name.contains("/") { return unsafe access(name, X_OK) == 0 ? name : nil }
    guard let list = unsafe getenv("PATH") else { return nil }
    let folders = unsafe String(cString: list).split(separator: ":")
    return folders.lazy.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
}
