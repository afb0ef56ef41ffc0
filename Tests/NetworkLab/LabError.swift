import Glibc

/// What went wrong in the lab: a command that failed, a time limit that passed, something missing.
public struct LabError: Error, CustomStringConvertible {
    /// What failed, why, and what a command said about it.
    public let description: String

    /// An error with its message.
    public init(_ description: String) { self.description = description }

    /// The error of a system call, from `errno`.
    static func call(_ call: String, _ code: Int32) -> LabError {
        LabError("\(call): \(unsafe String(cString: strerror(code)))")
    }
}
