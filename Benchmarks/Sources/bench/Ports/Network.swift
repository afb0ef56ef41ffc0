import ApusBench
import CTwins
import Foundation
import Relays

/// A network namespace of this run's own, with veth pairs: gone with the process, however that ends.
final class Network {
    private let space: Space

    /// Needs root.
    init() throws { space = try Space("ports") }

    /// Runs `body` on a new thread in the namespace, and waits for it. What it opens stays there.
    func inside<Result>(_ body: @escaping () throws -> Result) throws -> Result { try space.enter(body) }

    /// Joins two interfaces that are up and have no addresses. Frames to others than `near`'s address are dropped by
    /// the kernel behind `far` at once.
    func join(_ near: String, _ far: String) throws {
        let queues = "numrxqueues 1 numtxqueues 1 address"
        try space.ip(
            "link add \(near) \(queues) \(Probe.near) type veth peer name \(far) \(queues) \(Probe.far)")
        for name in [near, far] { try space.ip("link set \(name) up") }
    }
}

/// A veth pair, with who sends at its far end.
final class Wire {
    let near: String
    let far: String
    /// The socket that sends.
    let sender: Int32

    init(_ name: String, _ network: Network) throws {
        let (near, far) = ("\(name)-n", "\(name)-f")
        (self.near, self.far) = (near, far)
        try network.join(near, far)
        sender = try network.inside { unsafe veth_open(far, 0) }
        guard sender >= 0 else { throw BenchError("no socket at \(far)") }
    }

    deinit { close(sender) }

    /// The first frames that come to the far end while `body` runs, or have come when it is done; empty ones if none come.
    func frames(_ count: Int, inside network: Network, _ body: () throws -> Void) throws -> [[UInt8]] {
        let file = try network.inside { [far] in unsafe veth_open(far, 1) }
        defer { close(file) }
        try body()
        return (0..<count).map { _ in
            unsafe [UInt8](unsafeUninitializedCapacity: 2048) { buffer, count in
                count = unsafe veth_receive(file, buffer.baseAddress, 2048)
            }
        }
    }
}
