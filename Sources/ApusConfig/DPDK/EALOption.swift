/// The arguments that DPDK's EAL takes, of which some are Apus's to give.
enum EALOption {
    /// Those that a user may add (lib/eal/common/eal_options.h of DPDK 22.11).
    static let free = [
        "--base-virtaddr", "--create-uio-dev", "--force-max-simd-bitwidth", "--iova-mode", "--legacy-mem",
        "--log-level", "--match-allocations", "--mbuf-pool-ops-name", "--no-hpet",
        "--single-file-segments", "--socket-limit", "--socket-mem", "--trace",
        "--trace-bufsz", "--trace-dir", "--trace-mode", "--vfio-intr", "--vfio-vf-token", "--vmware-tsc-map",
        "-d", "-n", "-r",
    ]

    /// Those that say what a key of the configuration says, and the key.
    private static let keys: [String: String] = [
        "--no-huge": "dpdk.hugepages", "--huge-dir": "dpdk.hugepageDirectory", "-m": "dpdk.memory",
        "--file-prefix": "dpdk.filePrefix", "--main-lcore": "dpdk.mainCore", "--allow": "dpdk.allow",
        "-a": "dpdk.allow", "--block": "dpdk.block", "-b": "dpdk.block", "--vdev": "dpdk.vdevs",
        "-l": "workers.cpus", "-c": "workers.cpus", "--lcores": "workers.cpus",
    ]

    /// Those that make no sense here, and why.
    private static let senseless: [String: String] = [
        "-h": "prints DPDK's own help and ends", "--help": "prints DPDK's own help and ends",
        "-v": "prints DPDK's version, which `apus version` does too",
        "--version": "prints DPDK's version, which `apus version` does too",
        "--proc-type": "is for processes that share memory, and Apus is one alone",
        "--in-memory": "is what Apus says itself where no \"dpdk.hugepageDirectory\" is named",
        "--huge-unlink": "is what Apus says itself with a \"dpdk.hugepageDirectory\"",
        "--no-shconf": "is what Apus says itself where DPDK does not",
        "--no-telemetry": "is what Apus says itself",
        "--telemetry": "is for a socket of DPDK's, and its figures are among those of Apus",
        "--huge-worker-stack": "is for threads of DPDK's, of which Apus uses none",
        "--no-pci": "is what Apus says itself where no interface is on PCI",
        "--syslog": "is about DPDK's log, which goes where that of Apus goes",
        "-s": "is for service cores, of which Apus has none",
        "-S": "is for service cores, of which Apus has none",
    ]

    /// What is wrong with an argument, or nil. Values that stand alone are not looked at.
    static func refusal(of argument: String) -> String? {
        guard argument.hasPrefix("-"), argument != "-" else { return nil }
        let isLong = argument.hasPrefix("--")
        // A value may be joined to a short option without a sign: -n4.
        let name = String(isLong ? argument.prefix { $0 != "=" } : argument.prefix(2))
        if name == "--" { return "\"--\" ends the arguments of DPDK, and Apus gives more; leave it out" }
        if let key = keys[name] { return "\(name.quoted) is Apus's to give; write \"\(key)\" instead" }
        if let why = senseless[name] { return "\(name.quoted) \(why); leave it out" }
        if free.contains(name) { return nil }
        let near = nearestName(to: name, among: free + keys.keys.sorted())
        return "DPDK knows no argument \(name.quoted)"
            + (near.map { "; did you mean \"\($0)\"?" } ?? ", and would end the program")
    }
}
