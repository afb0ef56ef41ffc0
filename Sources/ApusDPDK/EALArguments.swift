import ApusDevices

/// The further arguments that DPDK may be started with: those that are wrong end in its usage on the standard output, and some
/// in the end of the process.
enum EALArguments {
    /// Options, and whether a value follows (DPDK 22.11, eal_common_options.c).
    private static let known: [String: Bool] = [
        "--base-virtaddr": true, "--create-uio-dev": false, "--force-max-simd-bitwidth": true,
        "--iova-mode": true,
        "--legacy-mem": false, "--log-level": true, "--match-allocations": false,
        "--mbuf-pool-ops-name": true,
        "--no-hpet": false, "--no-pci": false, "--single-file-segments": false, "--socket-limit": true,
        "--socket-mem": true, "--syslog": true, "--trace": true, "--trace-bufsz": true, "--trace-dir": true,
        "--trace-mode": true, "--vfio-intr": true, "--vfio-vf-token": true, "--vmware-tsc-map": false,
        "-d": true, "-n": true, "-r": true,
    ]

    /// Those of which Apus makes its own, and what to use in their place.
    private static let own: [String: String] = [
        "-l": "core", "-c": "core", "--lcores": "core", "--main-lcore": "core", "-s": "core", "-S": "core",
        "-m": "memory", "--no-huge": "hugePages", "--in-memory": "hugePageDirectory",
        "--huge-dir": "hugePageDirectory", "--huge-unlink": "hugePageDirectory",
        "--no-shconf": "hugePageDirectory", "--file-prefix": "filePrefix",
        "--vdev": "virtualDevices", "-a": "allow", "--allow": "allow",
    ]

    /// Those that no program of ours takes, and why.
    private static let refused: [String: String] = [
        "-b": "none is taken but those that are opened or allowed",
        "--block": "none is taken but those that are opened or allowed",
        "--proc-type": "there is one process",
        "--telemetry": "statistics are the ports'", "--no-telemetry": "it is so already",
        "-h": "it ends the program", "--help": "it ends the program", "-v": "EAL.version is it",
        "--huge-worker-stack": "DPDK's workers are not used",
    ]

    /// Looks at what DPDK would not say clearly, or not say but end the program.
    static func check(_ extra: [String]) throws(DPDKError) {
        var rest = extra[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if let option = own[name] { throw error(word, "EALOptions.\(option) is for that") }
            if let reason = refused[name] { throw error(word, reason) }
            guard let hasValue = known[name] else {
                let near = nearestName(to: name, among: known.keys.sorted())
                throw error(word, near.map { "is \($0) meant?" } ?? "there is no such option")
            }
            guard hasValue else {
                guard parts.count == 1 else { throw error(word, "\(name) takes no value") }
                continue
            }
            guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst(), !value.isEmpty else {
                throw error(word, "a value has to follow")
            }
            if name == "--log-level", value == "help" { throw error("\(word) help", "it ends the program") }
        }
    }

    private static func error(_ argument: String, _ reason: String) -> DPDKError {
        DPDKError("DPDK", .badArgument(argument, reason: reason))
    }
}
