import ApusConfig
import ApusHost
import ApusPacketSocket
import ApusXDP
import Glibc

#if DPDK
    import ApusDPDK
#endif

/// What is in the way, as far as it decides what to do next: the exit code of a command, or whether another try can
/// help. Clients of the control socket get its name beside the reason.
package enum FailureKind: String, Sendable {
    /// What is written is wrong, or makes no sense on this host.
    case configuration
    /// There is no such file or interface.
    case missing
    /// The process may not do it.
    case notPermitted = "not-permitted"
    /// The host has not got it, or not now.
    case unavailable

    /// The kind of an error of the configuration, the service or the forwarder.
    package init(of error: any Error) {
        self =
            switch error {
            case let error as ConfigurationFileError: Self.kind(of: error)
            case is ConfigurationErrors, ServiceError.configuration: .configuration
            case ServiceError.notPermitted: .notPermitted
            case let error as ForwarderError: Self.kind(of: error)
            default: .unavailable
            }
    }

    private static func kind(of error: ConfigurationFileError) -> FailureKind {
        switch error {
        case .invalid: .configuration
        case .unreadable(_, EACCES), .unreadable(_, EPERM): .notPermitted
        case .unreadable: .missing
        }
    }

    private static func kind(of error: ForwarderError) -> FailureKind {
        switch error {
        case .configuration: .configuration
        case .notPermitted, .packetSocket(.notPermitted), .host(.missingCapabilities): .notPermitted
        case .packetSocket(.noSuchInterface), .host(.noSuchInterface), .missing: .missing
        case .xdp(let inner):
            switch inner.cause {
            case .notPermitted: .notPermitted
            case .noSuchInterface: .missing
            default: .unavailable
            }
        #if DPDK
            case .dpdk(let inner): FailureKind(inner)
        #endif
        default: .unavailable
        }
    }
}

#if DPDK
    extension FailureKind {
        /// The kind of an error of DPDK's.
        init(_ error: DPDKError) {
            self =
                switch error.cause {
                case .badName, .badSize, .badArgument: .configuration
                case .noSuchInterface, .noSuchDevice: .missing
                case .notPermitted, .hugetlbfsNotWritable: .notPermitted
                default: .unavailable
                }
        }
    }
#endif
