import Apus
import ApusBench
import CTwins

// What the language costs, on the whole data path of the forwarder: receive, parse, verify the checksum, find the
// stream, RTP statistics, readdress, carry the checksum over, copy for each further destination, send. A camera and a
// screen at the ends of two pairs of ports in memory fill the one ring before the time is taken and empty the other
// after it. The twin is Twins/forward.c with worker.h, relay.h, packet.h and flow.h.

/// The part `forward` of the suite `tax`.
func forward() -> [Comparison] {
    [1, 4].flatMap { fanOut in
        [1, 8, 32, 256].map { batch in
            Comparison("tax/forward-to-\(fanOut)/batch-\(batch)", per: "packet") {
                let setup = ForwardSetup(fanOut: fanOut, leavingBy: 1)
                // A burst holds 64.
                let ours = try relayed(setup, batch: min(batch, 64))
                let twin = Twin(setup, batch: min(batch, 64))
                for _ in 0..<3 * ForwardSetup.streams {
                    precondition(ours.one() == twin.one(), "they differ")
                }
                return (
                    Competitor("Apus") { ours.round(fanOut: fanOut) },
                    Competitor("C") { twin.round(fanOut: fanOut) }
                )
            }
        }
    }
}

/// The forwarder of Apus with these streams, of which packets come in turn.
private func relayed(_ setup: ForwardSetup, batch: Int) throws -> Relayed {
    var (camera, frame) = (ForwardSetup.Camera(setup), [UInt8]())
    return try Relayed(plan: setup.plan, slots: ForwardSetup.streams, batch: batch) { packet in
        frame.removeAll(keepingCapacity: true)
        camera.append(to: &frame)
        precondition(packet.replaceBytes(with: unsafe frame.span.bytes))
    }
}

/// The twin, with the same streams.
@safe private final class Twin: BackloggedForwarder {
    private let twin: OpaquePointer

    init(_ setup: ForwardSetup, batch: Int) {
        unsafe twin = setup.withTwins { setup in
            unsafe (setup.pointee.frames, setup.pointee.ring) = (Relayed.room, Relayed.room)
            unsafe setup.pointee.batch = batch
            return unsafe forward_make(setup)
        }
    }

    deinit { unsafe forward_free(twin) }

    var sent: Int { Int(unsafe forward_sent(twin)) }
    func fill(_ count: Int) { unsafe forward_fill(twin, count) }
    func work(_ count: Int) -> Int { Int(unsafe forward_work(twin, count)) }
    func drain() { unsafe _ = forward_drain(twin, nil) }

    /// What comes of one packet.
    func one() -> [UInt8] {
        fill(1)
        _ = work(1)
        return unsafe [UInt8](unsafeUninitializedCapacity: 2048 * Burst.capacity) { buffer, count in
            count = unsafe forward_drain(twin, buffer.baseAddress)
        }
    }
}
