import Glibc
public import Testing

/// What a test needs from the machine it runs on.
public enum LabRequirement: Sendable {
    /// Root, and a kernel that lets it make network namespaces.
    case root
    /// A program in PATH.
    case program(String)
    /// A file or folder that must be there.
    case file(String)

    /// Why it is not met and what to do about it; nil when it is met.
    var shortcoming: String? {
        switch self {
        case .root:
            if geteuid() != 0 { return "needs root to make network namespaces: run it with sudo" }
            return Self.namespacesWork ? nil : "needs network namespaces, and unshare(1) can't make one here"
        case .program(let name):
            return path(ofProgram: name) == nil
                ? "needs the program \(name): install the packages of debian-packages.txt (make setup)" : nil
        case .file(let path):
            return unsafe access(path, F_OK) == 0 ? nil : "needs \(path), which is not here"
        }
    }

    private static let namespacesWork =
        (try? NetworkLab.run(["unshare", "--net", "--mount", "true"])) != nil
}

extension Trait where Self == ConditionTrait {
    /// Skips the test aloud when the machine lacks something, with what to do about it. With `CI=true` in the
    /// environment the lack is a failure, so that a green run means that the test ran.
    public static func requires(
        _ requirements: LabRequirement..., sourceLocation: SourceLocation = #_sourceLocation
    ) -> Self {
        let shortcomings = requirements.compactMap(\.shortcoming)
        return .enabled(
            Comment(rawValue: shortcomings.joined(separator: "; ")), sourceLocation: sourceLocation
        ) {
            guard let first = shortcomings.first else { return true }
            guard mustRun else { return false }
            throw LabError("\(first); with CI=true in the environment this is a failure")
        }
    }
}

/// Says aloud that what is left of a test can't run here, for what was only found while it ran; the caller returns.
///
/// - Throws: `LabError` with `CI=true` in the environment, as ``Trait/requires(_:sourceLocation:)`` does.
public func skipRest(of test: String, _ shortcoming: String) throws {
    guard !mustRun else {
        throw LabError("\(shortcoming); with CI=true in the environment this is a failure")
    }
    print("➜ \(test) skipped: \(shortcoming)")
}

private var mustRun: Bool {
    guard let value = unsafe getenv("CI") else { return false }
    return unsafe String(cString: value) == "true"
}
