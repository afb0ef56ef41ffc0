import Apus
import ApusRuntime

/// The exit codes of `apus`, from sysexits.h.
enum ExitCode: Int32, CaseIterable {
    case success = 0
    case usage = 64
    case noInput = 66
    case unavailable = 69
    case notPermitted = 77
    case configuration = 78

    /// What the code means, for the manual.
    var meaning: String {
        switch self {
        case .success: "Fine."
        case .usage:
            "Wrong usage: an unknown option, a missing value, a stream by options that makes no sense on this host, "
                + "such as one to the host itself."
        case .noInput: "There is no such interface, device or file, or no such rule of a filter."
        case .unavailable:
            "The host cannot do what was asked, or not now, as when a port is in use or it has fewer queues; or "
                + "nobody reads the output any more. The message says what is in the way and how to mend it."
        case .notPermitted: "Not permitted; the message names the capability or permission that is missing."
        case .configuration:
            "The configuration file is wrong, or makes no sense on this host; the message says where, as "
                + "file:line:column, and what was meant."
        }
    }
}

extension ExitCode {
    /// What a command ends with when this is in the way.
    init(_ kind: FailureKind) {
        self =
            switch kind {
            case .configuration: .configuration
            case .missing: .noInput
            case .notPermitted: .notPermitted
            case .unavailable: .unavailable
            }
    }
}

/// Why a command ends without having done its work.
struct ExitFailure: Error, Equatable {
    /// What the process exits with.
    var code: ExitCode
    /// What went wrong: one sentence without a full stop, or several lines that were made to be shown.
    var message: String
    /// What the user can do about it, such as a command to type.
    var wayOut: String?

    init(_ code: ExitCode, _ message: String, wayOut: String? = nil) {
        (self.code, self.message, self.wayOut) = (code, message, wayOut)
    }

    /// What is wrong with a configuration: wrong usage if it was given as options, else a bad file.
    init(_ errors: ConfigurationErrors) {
        guard errors.errors.contains(where: { $0.file != nil }) else {
            self.init(.usage, "\(errors)")
            return
        }
        let count = errors.errors.count + errors.omitted
        self.init(.configuration, "the configuration has \(count) error\(count == 1 ? "" : "s"):\n\(errors)")
    }
}

extension ExitFailure: CustomStringConvertible {
    /// What went wrong, for where a log tells of it and nothing ends.
    var description: String { message }
}
