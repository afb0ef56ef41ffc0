import CTraffic
import Foundation

/// One way from the camera to the screen: what sends, and the BPF program that counts at its end.
// Sound: sender and counter are made and ended by it, and what they give is copied.
@safe final class Way {
    private let camera: Space
    private let sender: OpaquePointer
    private let counter: OpaquePointer

    /// Between the interfaces of that name in both namespaces.
    init(_ name: String, from camera: Space, to screen: Space) throws {
        self.camera = camera
        let ports = (Flows.screenPort(0), Flows.screenPort(Flows.count - 1))
        unsafe counter = try Self.made("the screen's BPF program", in: screen) {
            unsafe traffic_count(name, ports.0, ports.1)
        }
        do {
            unsafe sender = try Self.made("the sender", in: camera) { unsafe traffic_open(name) }
        } catch {
            unsafe traffic_count_end(counter)
            throw error
        }
    }

    deinit {
        unsafe traffic_close(sender)
        unsafe traffic_count_end(counter)
    }

    private static func made(
        _ what: String, in space: Space, _ make: @escaping () -> OpaquePointer?
    ) throws -> OpaquePointer {
        let (made, code) = try unsafe space.enter { unsafe (make(), errno) }
        guard let made = unsafe made else { throw RelayError.code(what, code) }
        return unsafe made
    }

    /// Packets that have arrived so far.
    var arrived: UInt64 { unsafe traffic_arrived(counter) }

    /// Sends that many bursts at a rate in packets a second, on a core of its own before all others.
    func send(
        _ flows: inout Flows, bursts: Int, of burst: Int, rate: Double, core: Int
    ) throws -> traffic_offered {
        let (frames, first, size) = (flows.frames, flows.sent, flows.frameSize)
        let sender = unsafe sender
        let offered = try camera.enter {
            let code = traffic_lead(Int32(core))
            guard code == 0 else { throw RelayError.code("the sender's core and priority", code) }
            return unsafe traffic_send(
                sender, frames, size, UInt32(Flows.count), UInt32(burst), UInt64(rate), UInt32(bursts),
                UInt64(first))
        }
        guard offered.error == 0 else { throw RelayError.code("sending", offered.error) }
        flows.sent += bursts * burst
        return offered
    }

    /// The frames that arrive while `body` runs, up to 64 of them.
    func keeping(_ body: () throws -> Void) rethrows -> [[UInt8]] {
        unsafe traffic_keep(counter, 64)
        defer { unsafe traffic_keep(counter, 0) }
        try body()
        var frames: [[UInt8]] = []
        var place: UnsafePointer<UInt8>?
        while case let count = unsafe traffic_kept(counter, UInt32(frames.count), &place), count > 0 {
            unsafe frames.append(Array(UnsafeBufferPointer(start: place, count: count)))
        }
        return frames
    }

    /// Nanoseconds that the packets took which arrive while `body` runs, from the sender's clock to the end.
    func timing(_ body: () throws -> Void) rethrows -> [UInt32] {
        unsafe traffic_time(counter, 1)
        defer { unsafe traffic_time(counter, 0) }
        try body()
        var count = 0
        let place = unsafe traffic_latencies(counter, &count)
        return unsafe Array(UnsafeBufferPointer(start: place, count: count))
    }
}
