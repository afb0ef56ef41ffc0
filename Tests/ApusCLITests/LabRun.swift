import NetworkLab

/// How a run of `apus` in a namespace ended, well or not.
struct LabRun {
    /// nil when it had to be killed.
    var code: ExitStatus?
    var output: String
    var errors: String
}

/// Runs `apus` in a namespace and waits for its end, for a minute at most.
///
/// - Parameter prefix: a program that becomes `apus`, and its options.
func runApus(in space: Namespace, _ words: [String], prefix: [String] = []) throws -> LabRun {
    let running = try space.start(prefix + [apusPath] + words)
    let code = running.waitForExit(within: .seconds(60))
    return LabRun(code: code, output: running.output, errors: running.errors)
}
