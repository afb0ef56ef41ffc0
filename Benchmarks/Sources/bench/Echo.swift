import Apus
import ApusBench
import CTwins

// What the language costs, on the smallest packet program: receive, parse to UDP, exchange the addresses,
// transmit, over a port in memory. Both ends of the pair do it, so that nothing else is in the loop. The twin is
// Twins/echo.c with packet.h and flow.h.

/// The part `echo` of the suite `tax`.
func echo() -> [Comparison] {
    [1, 8, 32, 256].map { batch in
        let bytes = Datagram.bytes(payload: 200)
        // A burst holds 64.
        let bursts = (batch + 63) / 64
        return Comparison("tax/echo/batch-\(batch)", per: "packet") {
            let ours = try Echo(bytes, packets: batch)
            return Competitor("Apus") { ours.run(bursts: bursts, repeats: $0) }
        } peer: {
            let twin = TwinEcho(bytes, packets: batch)
            return Competitor("C") { twin.run(bursts: bursts, repeats: $0) }
        }
    }
}

/// Two ends between which packets go back and forth.
private final class Echo {
    private var pair: MemoryPair

    init(_ bytes: [UInt8], packets: Int) throws {
        pair = try MemoryPair(frames: 512, ringCapacity: 256, hugePages: .never)
        for _ in 0..<packets {
            var burst = Burst()
            var packet = pair.first.makePacket()!
            precondition(packet.replaceBytes(with: unsafe bytes.span.bytes))
            burst.append(packet)
            pair.first.transmit(&burst)
        }
    }

    func run(bursts: Int, repeats: Int) -> Int { answerInTurn(&pair, bursts, repeats) }
}

/// The twin, with the same packets.
@safe private final class TwinEcho {
    private let twin: OpaquePointer

    init(_ bytes: [UInt8], packets: Int) { unsafe twin = echo_make(bytes, bytes.count, packets) }
    deinit { unsafe echo_free(twin) }

    func run(bursts: Int, repeats: Int) -> Int { Int(unsafe echo_run(twin, bursts, repeats)) }
}

// Once in the program for both ends, as in the twin.
@inline(never)
private func answer(_ port: inout Port<MemoryDriver>, _ burst: inout Burst) -> Int {
    if port.receive(into: &burst) == 0 { return 0 }
    burst.keep { packet in
        guard let headers = packet.udp else { return false }
        packet.swapEndpoints(headers)
        return true
    }
    let count = port.transmit(&burst)
    port.flush()
    return count
}

@inline(never)
private func answerInTurn(_ pair: inout MemoryPair, _ bursts: Int, _ repeats: Int) -> Int {
    var count = 0
    var burst = Burst()
    for _ in 0..<repeats {
        for _ in 0..<bursts { count += answer(&pair.second, &burst) }
        for _ in 0..<bursts { count += answer(&pair.first, &burst) }
    }
    return count
}
