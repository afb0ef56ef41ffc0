import Apus
import ApusBench
import CTwins
import Foundation

// What a packet costs the core that moves it, over veth. The rate through a veth pair is that of the sender, whose
// core also runs the receiver's XDP program and half of its network stack; so all receivers would look alike. In its
// stead each round has a backlog: `count` frames are sent from the far end, on the other core, until all of them lie
// in the receive ring. Then one competitor works them off, and that is timed. All competitors have an own veth pair
// in one namespace, rings and frames of the same sizes, copy mode, need-wakeup and bursts of up to 64 packets.

/// How a port is opened.
enum Backend: String, CaseIterable {
    case native = "xdp-native"
    case generic = "xdp-generic"
    case packet

    var isXDP: Bool { self != .packet }
}

/// What a port is measured at.
enum Direction: String, CaseIterable {
    case receive = "rx"
    case transmit = "tx"
    case echo
}

/// The sizes that all competitors have.
enum Sizes {
    /// Frames of a round.
    static let count = 1024
    /// Entries of RX, TX and completion rings; fill rings have twice as many.
    static let ring = 2048
    /// Frames of a port, half of which are for the kernel to receive into.
    static let frames = 4096
    static let octets = [64, 1400]
}

/// The suite `ports`.
///
/// - Parameter line: what measures it as root.
func ports(_ cores: Cores, asRoot line: String) -> Suite {
    guard let other = cores.other else {
        return portsLeftOut("there is one core only, and who sends needs one of its own")
    }
    guard geteuid() == 0 else {
        return portsLeftOut("it needs root, for a network namespace: \(line)")
    }
    guard Testpmd.isInstalled else {
        return portsLeftOut("dpdk-testpmd is not in PATH: apt-get install dpdk-dev iproute2")
    }
    let bench = PortBench(own: cores.own, other: other)
    var trials: [Trial] = []
    for backend in Backend.allCases {
        for direction in Direction.allCases {
            for size in Sizes.octets {
                let name = "ports/\(backend.rawValue)/\(direction.rawValue)/\(size)"
                trials.append(
                    Trial("\(name)/c") { try bench.besideC(name, backend, direction, size, $0, $1) })
                trials.append(
                    Trial("\(name)/testpmd") {
                        try bench.besideTestpmd(name, backend, direction, size, $0, $1)
                    })
            }
        }
    }
    return Suite("ports", versions: portVersions, trials)
}

private func portsLeftOut(_ reason: String) -> Suite {
    Suite("ports", leftOut: ["ports can't be measured here: \(reason)"], [Trial]())
}

private var portVersions: [String: String] {
    let own = unsafe [
        "twins": String(cString: twins_compiler()), "testpmd": String(cString: twins_dpdk()),
    ]
    return own.merging(libxdp) { $1 }
}

/// What the twins open AF_XDP sockets with.
var libxdp: [String: String] {
    unsafe ["libxdp": String(cString: twins_libxdp()), "libbpf": String(cString: libbpf_version_string())]
}
