import Glibc

/// Waits for what a test brings about to be so.
///
/// - Parameters:
///   - what: what should come true, for the error.
///   - condition: looked at a hundred times a second.
/// - Throws: `LabError` when it is not so within `limit`.
public func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw LabError("not within \(limit): \(what)") }
        usleep(10_000)
    }
}
