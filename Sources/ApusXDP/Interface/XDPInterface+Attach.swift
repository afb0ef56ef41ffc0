internal import ApusHost

// Which XDP mode an interface gets.
extension XDPInterface {
    /// Attaches the steering program in the best mode that can be had.
    static func attach(
        _ name: String, _ options: XDPOptions, _ kind: String?
    ) throws(XDPError) -> (SteeringProgram, reasons: [String]) {
        _ = try interfaceIndex(name)
        let missing = Capability.missing(of: Capability.toOpen)
        guard missing.isEmpty else {
            throw XDPError(name, .notPermitted(missing: missing, doing: "open an interface with AF_XDP"))
        }
        if options.zeroCopy == .required, options.mode == .generic {
            throw XDPError(
                name, .lesserGrant(required: "zero-copy", reasons: ["generic mode has none"]))
        }
        let modes: [XDPMode] =
            switch options.mode {
            case .best: options.zeroCopy == .required ? [.native] : [.native, .generic]
            case .native: [.native]
            case .generic: [.generic]
            }
        var failures: [XDPError] = []
        for mode in modes {
            do throws(XDPError) {
                // The kernel attaches it there all the same.
                if mode == .native, let kind, Link.isAggregate(kind: kind) {
                    throw XDPError(name, .aggregate(kind: kind))
                }
                return (
                    try SteeringProgram(attachingTo: name, mode: mode), failures.map { "\($0.explanation)" }
                )
            } catch {
                guard error.mayWorkInAnotherMode else { throw error }
                failures.append(error)
            }
        }
        if options.mode != .best || failures.count == 1 { throw failures[0] }
        throw XDPError(
            name, .lesserGrant(required: "AF_XDP", reasons: failures.map { "\($0.explanation)" }))
    }
}

extension XDPError {
    /// Whether another mode may succeed where this one failed.
    var mayWorkInAnotherMode: Bool {
        switch cause {
        case .modeNotSupported, .mtuTooLarge, .failed, .otherModeActive, .aggregate: true
        default: false
        }
    }
}
