import CLinux
import Foundation
import Glibc
import NetworkLab
import Synchronization

/// A TCP connection on which something goes to and fro all the time: what else a host does.
final class TCPSession: Sendable {
    private struct Result {
        var exchanges = 0
        var slowest = Duration.zero
        var failure: String?
    }

    private let result = Mutex(Result())
    private let isOver = Atomic<Bool>(false)
    private let ends: (client: Descriptor, server: Descriptor)
    private let listener: Descriptor

    /// Connects the two namespaces, to an address of the second.
    init(from client: Namespace, to server: Namespace, _ address: String, port: Int = 7) throws {
        let address = try SocketAddress(address, port)
        listener = try server.enter {
            let descriptor = try Descriptor(address.family, APUS_SOCK_STREAM)
            descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1)
            try descriptor.bind(address)
            guard listen(descriptor.number, 1) == 0 else { throw LabError.system("listen") }
            return descriptor
        }
        let outward = try client.enter { try Descriptor(address.family, APUS_SOCK_STREAM) }
        try outward.connect(address)
        let inward = accept(listener.number, nil, nil)
        guard inward >= 0 else { throw LabError.system("accept") }
        ends = (outward, Descriptor(taking: inward))
        Thread.detachNewThread { self.exchange() }
    }

    private func exchange() {
        let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        while !isOver.load(ordering: .relaxed) {
            let start = ContinuousClock.now
            do {
                try pass(message, from: ends.client, to: ends.server)
                try pass(message, from: ends.server, to: ends.client)
            } catch {
                return result.withLock { $0.failure = "\(error)" }
            }
            let time = ContinuousClock.now - start
            result.withLock {
                $0.exchanges += 1
                $0.slowest = max($0.slowest, time)
            }
            usleep(2000)
        }
    }

    private func pass(_ message: [UInt8], from: Descriptor, to: Descriptor) throws {
        try from.write(message)
        var arrived: [UInt8] = []
        while arrived.count < message.count {
            guard to.isReadable(within: 5000), let part = to.read(message.count) else {
                throw LabError("\(arrived.count) of \(message.count) octets came in 5 seconds")
            }
            arrived += part
        }
        guard arrived == message else { throw LabError("other octets came than were sent") }
    }

    /// How many exchanges there were so far.
    var exchanges: Int { result.withLock { $0.exchanges } }

    /// Ends it and says how it went.
    func finish() -> (exchanges: Int, slowest: Duration, failure: String?) {
        isOver.store(true, ordering: .relaxed)
        return result.withLock { ($0.exchanges, $0.slowest, $0.failure) }
    }
}
