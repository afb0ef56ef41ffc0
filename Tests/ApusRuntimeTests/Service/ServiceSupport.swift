import ApusRTP
import ApusWire
import CLinux
import Glibc
import Synchronization

@testable import ApusRuntime

/// Runs a part of the service on a thread, as the control thread does: makes it there, waits for its
/// descriptor, attends, until it is told to end or the pump goes.
final class Pump {
    private let stop = Stop()
    private var thread: WorkerThread?
    /// How often the part was attended.
    var rounds: Int { stop.rounds.load(ordering: .relaxed) }

    private final class Stop: Sendable {
        let isSet = Atomic<Bool>(false)
        let rounds = Atomic<Int>(0)
        let error = Mutex<ServiceError?>(nil)
        let isReady = Atomic<Bool>(false)
    }

    /// Serves metrics. Throws when the server can't be made.
    static func metrics(_ endpoint: Endpoint, _ status: ForwarderStatus) throws -> Pump {
        try Pump { () throws(ServiceError) in
            let server = try MetricsServer(endpoint) { StatusSnapshot(status) }
            return (server.descriptor, { server.timeout }, { server.attend() })
        }
    }

    /// Serves a control socket.
    static func control(
        _ socket: @escaping @Sendable () throws(ServiceError) -> ControlSocket,
        _ perform: @escaping @Sendable (ControlCommand, PeerCredentials?) -> ControlAnswer
    ) throws -> Pump {
        try Pump { () throws(ServiceError) in
            let control = try socket()
            return (control.descriptor, { nil }, { control.attend(perform) })
        }
    }

    typealias Part = (descriptor: Int32, timeout: () -> Int32?, attend: () -> Void)

    init(_ make: @escaping @Sendable () throws(ServiceError) -> Part) throws {
        let stop = stop
        thread = try WorkerThread(name: "pump", cpu: nil) {
            do throws(ServiceError) {
                let part = try make()
                stop.isReady.store(true, ordering: .releasing)
                while !stop.isSet.load(ordering: .relaxed) {
                    var polled = pollfd(fd: part.descriptor, events: Int16(POLLIN), revents: 0)
                    _ = unsafe poll(&polled, 1, min(20, part.timeout() ?? 20))
                    part.attend()
                    stop.rounds.add(1, ordering: .relaxed)
                }
            } catch {
                stop.error.withLock { $0 = error }
                stop.isReady.store(true, ordering: .releasing)
            }
        }
        while !stop.isReady.load(ordering: .acquiring) { usleep(1000) }
        if let error = stop.error.withLock({ $0 }) { throw error }
    }

    /// Whether it comes to rest: a second with some fifty waits of 20 ms, of several, since the clients' last
    /// words may still be on their way. What spins makes thousands of rounds in each.
    func isResting(within tries: Int = 10) -> Bool {
        for _ in 0..<tries {
            let (before, start) = (rounds, Clock.monotonic)
            sleep(1)
            let seconds = Double(Clock.monotonic &- start) / 1e9
            if Double(rounds - before) < 200 * seconds { return true }
        }
        return false
    }

    /// Ends the thread.
    func end() {
        stop.isSet.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
    }

    deinit { end() }
}

/// A folder that goes with the test.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/apus-service-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer {
            unsafe String(cString: mkdtemp($0.baseAddress!))
        }
    }

    deinit {
        for name in ["control.sock", "other.sock", "notify.sock", "forward.json5"] {
            unsafe unlink("\(path)/\(name)")
        }
        unsafe rmdir(path)
    }
}

/// A TCP port of the loopback address that nobody uses now, and nobody is given by the kernel: none of its ephemeral
/// ports, which other tests' connections have.
func freePort() -> UInt16 {
    while true {
        let port = UInt16.random(in: 12_000..<32_000)
        if isFree(port) { return port }
    }
}

private func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, APUS_SOCK_STREAM, 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    address.sin_port = port.bigEndian
    return unsafe withUnsafeBytes(of: &address) { bytes in
        // Sound: the kernel reads as many octets as the struct has.
        unsafe bind(
            descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count)) == 0
    }
}

/// How many more descriptors are open after `body` than before.
///
/// It runs on a thread with a table of its own, in which there are none but 0 to 2, so that what the other tests of
/// this process open and close meanwhile doesn't count. `#expect` what it found outside.
func descriptorsLeft(by body: @escaping @Sendable () -> Void) -> Int {
    let result = Left()
    let thread = try! WorkerThread(name: "descriptors", cpu: nil) {
        // CLONE_FILES of linux/sched.h: from here on the table is a copy.
        guard unshare(0x400) == 0 else { return result.count.store(.max, ordering: .relaxed) }
        for descriptor in 3..<Int32(65_536) { close(descriptor) }
        let before = openDescriptors()
        body()
        result.count.store(openDescriptors() - before, ordering: .relaxed)
    }
    thread.join()
    return result.count.load(ordering: .relaxed)
}

private final class Left: Sendable {
    let count = Atomic<Int>(0)
}

private func openDescriptors() -> Int {
    (0..<4096).count { fcntl(Int32($0), F_GETFD) >= 0 }
}

extension ForwarderStatus {
    /// Figures with something in every field, made by hand.
    static var sample: ForwarderStatus {
        var status = ForwarderStatus()
        (status.received, status.receivedBytes, status.accepted) = (1000, 123_456, 990)
        (status.copies, status.sent, status.sentBytes) = (1980, 1970, 240_000)
        (status.waiting, status.completedChecksums, status.uptime) = (3, 7, 12.5)
        status.unverifiedChecksums = 9
        status.stalls = 3
        status.drops = ["no-stream": 8, "bad_udp_checksum": 2]
        status.unreachable = ["198.51.100.9:5004": "no route"]
        status.streams = [
            stream("camera", packets: 990), stream("quote\" back\\slash\nline ü", packets: 0),
        ]
        status.interfaces = [
            Interface(name: "eth0", isOpen: true, isListening: true),
            Interface(name: "eth1", isOpen: true, isListening: false),
        ]
        status.ports = [
            Port(
                interface: "eth0", queue: 0, backend: "xdp", isOpen: true,
                features: [
                    Feature(name: "zero-copy", requested: "auto", granted: "no", reason: "veth has none")
                ],
                received: 1000, receivedBytes: 123_456, sent: 1970, sentBytes: 240_000, pending: 2,
                drops: ["kernel": 4])
        ]
        status.devices = [
            Device(
                interface: "net_tap0", mac: "02:00:00:00:00:01", mtu: 1500, node: 1,
                addresses: ["192.0.2.2/24", "fe80::1/64"], isLinkUp: true, linkMegabits: 10_000,
                isFullDuplex: true,
                linkChanges: 2, handed: 9,
                received: ["arp": 5, "neighbor_discovery": 3], noted: 2, reported: 1, believed: 1,
                sent: ["arp_reply": 4, "solicitation": 6], transmitted: 10,
                drops: ["host_queue_full": 7, "unsolicited": 1],
                conflicts: 1, neighbors: ["reachable": 2, "failed": 1], neighborEvents: ["failed": 3],
                narrowPaths: 1),
            Device(
                interface: "0000:03:00.0", mac: "02:00:00:00:00:02", mtu: 9000, node: nil, addresses: [],
                isLinkUp: nil, linkMegabits: nil, isFullDuplex: nil,
                linkChanges: 0, handed: 0,
                received: [:], noted: 0, reported: 0, believed: 0, sent: [:], transmitted: 0, drops: [:],
                conflicts: 0,
                neighbors: [:],
                neighborEvents: [:], narrowPaths: 0),
        ]
        status.steering = [
            Steering(
                interface: "eth0", steered: 1004, passed: ["fragment": 6, "no_port": 12, "no_socket": 0])
        ]
        return status
    }

    /// The figures of ten thousand streams.
    static var ofMany: ForwarderStatus {
        var status = sample
        status.streams = (0..<10_000).map { stream("stream \($0)", packets: UInt64($0)) }
        return status
    }

    static func stream(_ name: String, packets: UInt64, to: [String] = ["198.51.100.7:5004"]) -> Stream {
        var figures = StreamFigures()
        (figures.packets, figures.bytes, figures.sent) = (packets, packets * 100, packets * 2)
        if packets > 0 {
            (figures.lost, figures.reordered, figures.duplicates, figures.sourceChanges) = (5, 2, 1, 1)
            (figures.rtcp, figures.notRTP, figures.dropped) = (10, 11, 12)
            (figures.ssrc, figures.payloadType, figures.jitter) = (0xdead_beef, 96, 1.25)
            figures.lastArrival = 1_700_000_000_500_000_000
        }
        return Stream(name: name, listen: "192.0.2.1:5004", destinations: to, figures: figures)
    }
}
