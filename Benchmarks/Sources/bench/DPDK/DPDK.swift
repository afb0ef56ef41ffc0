import Apus
import ApusBench
import CTwins

// What Apus costs over DPDK's poll-mode drivers: on one core, bursts of 32 packets of 64 octets are received from a
// virtual device and sent by it, as testpmd's modes `io` and `macswap` do it. What is beside the driver's own work is then
// Apus' share, as nothing else is in the loop.

/// The suite `dpdk`. Beside C it takes one core.
func dpdk(_ cores: Cores, _ arguments: Arguments) -> Suite {
    let kinds = VirtualDevice.allCases.flatMap { kind in Handling.allCases.map { (kind, $0) } }
    let besideC = kinds.map { Trial(devicesBesideC($0, $1)) }
    let versions = unsafe [
        "twins": String(cString: twins_compiler()), "dpdk": String(cString: twins_dpdk()),
        "testpmd": String(cString: twins_dpdk()),
    ]
    guard let bench = TestpmdBench(cores, arguments) else {
        let reason = TestpmdBench.obstacle(cores, arguments)!
        return Suite(
            "dpdk", versions: versions, leftOut: ["dpdk beside testpmd can't be measured \(reason)"], besideC)
    }
    let besideTestpmd = kinds.map { kind, handling in
        let name = "dpdk/\(kind)/\(handling)/testpmd"
        return Trial(name) { try bench.measure(name, kind, handling, $0, $1) }
    }
    return Suite("dpdk", versions: versions, besideC + besideTestpmd)
}

/// Apus beside C, each on a device of its own in this process.
private func devicesBesideC(_ kind: VirtualDevice, _ handling: Handling) -> Comparison {
    Comparison("dpdk/\(kind)/\(handling)/c", per: "packet") {
        try startDPDK()
        let port = try DevicePort(kind)
        try ready(kind, handling, "Apus", port.send, port.take) { port.forward(handling, $0) }
        return Competitor("Apus") { checked($0, port.forward(handling, $0)) }
    } peer: {
        try startDPDK()
        let twin = try TwinDevicePort(kind)
        try ready(kind, handling, "C", twin.send, twin.take) { twin.forward(handling, $0) }
        return Competitor("C") { checked($0, twin.forward(handling, $0)) }
    }
}

/// All packets of so many passes, of which none may be lost.
func checked(_ passes: Int, _ count: Int) -> Int {
    precondition(count == passes * VirtualDevice.burst, "\(count) packets in \(passes) passes")
    return count
}

/// Looks at what is done to a packet where a device gives back what it gets, and then puts those in that circle there.
func ready(
    _ kind: VirtualDevice, _ handling: Handling, _ name: String, _ send: ([UInt8], Int) throws -> Void,
    _ take: () -> [UInt8], _ forward: (Int) -> Int
) throws {
    guard kind == .ring else { return }
    try send(VirtualDevice.packet, 1)
    _ = forward(1)
    guard take() == handling.result(of: VirtualDevice.packet) else {
        throw BenchError("\(name) does something else than \(handling) to a packet")
    }
    try send(VirtualDevice.packet, VirtualDevice.circling)
}
