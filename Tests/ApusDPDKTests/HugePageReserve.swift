import Glibc
import NetworkLab

/// Hugepages of 2 MiB that a test has added to those of the machine, and takes away again.
///
/// Others may do the same meanwhile, so the number is changed by the difference, under a lock.
final class HugePageReserve {
    private let added: Int

    /// Adds `count`. An error when memory has not that many in one piece each.
    init(_ count: Int) throws {
        let before = try Self.change(by: count)
        added = before.after - before.before
        guard added == count else { throw LabError("\(added) hugepages of \(count) could be had") }
    }

    deinit { _ = try? Self.change(by: -added) }

    private static func change(by difference: Int) throws -> (before: Int, after: Int) {
        let lock = unsafe open("/run/apus-hugepages.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw LabError("/run/apus-hugepages.lock: no lock")
        }
        defer { close(lock) }
        let path = "/proc/sys/vm/nr_hugepages"
        func number() throws -> Int {
            let text = try NetworkLab.run(["cat", path]).standardOutput
            return Int(text.filter(\.isNumber)) ?? 0
        }
        let before = try number()
        try NetworkLab.run(["sh", "-c", "echo \(max(0, before + difference)) >\(path)"])
        return (before, try number())
    }
}
