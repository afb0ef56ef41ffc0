import Glibc
import NetworkLab
import Testing

/// What tcpdump sees arrive on an interface.
final class Capture {
    private let tcpdump: Running
    private let path: String

    init(on interface: String, in space: Namespace) throws {
        path = "/tmp/apus-capture-\(getpid())-\(UInt32.random(in: 0 ... .max)).pcap"
        tcpdump = try space.start([
            "tcpdump", "-i", interface, "-Q", "in", "-U", "--immediate-mode", "-B", "65536", "-s", "0", "-Z",
            "root", "-w", path,
        ])
        try tcpdump.waitForLine(containing: "listening on")
    }

    deinit { unsafe _ = unlink(path) }

    /// Ends it and gives the frames, once there are `count` or after twenty seconds.
    func frames(_ count: Int) throws -> [[UInt8]] {
        let deadline = ContinuousClock.now + .seconds(20)
        var frames = read()
        while frames.count < count, ContinuousClock.now < deadline {
            usleep(20000)
            frames = read()
        }
        // What should not come gets a moment to come all the same.
        usleep(100_000)
        tcpdump.stop(SIGINT)
        #expect(tcpdump.errors.contains("0 packets dropped by kernel"))
        return read()
    }

    /// The classic file format (draft-ietf-opsawg-pcap), in this machine's byte order.
    private func read() -> [[UInt8]] {
        guard let file = unsafe fopen(path, "r") else { return [] }
        defer { unsafe fclose(file) }
        func take(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            return unsafe fread(&bytes, 1, count, file) == count ? bytes : nil
        }
        guard take(24) != nil else { return [] }
        var frames: [[UInt8]] = []
        while let header = take(16) {
            let length = header[8..<12].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard let frame = take(length) else { break }
            frames.append(frame)
        }
        return frames
    }
}
