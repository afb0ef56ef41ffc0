import Apus

/// Is the host of a link that no kernel serves: it answers ARP, neighbor discovery and pings, and sends each datagram that
/// comes to `service` back to where it came from.
func serve<Driver: PortDriver & ~Copyable>(
    _ host: inout EndHost, over port: inout Port<Driver>, service: Endpoint, clock: borrowing WorkerClock
) {
    let counters = EndHostCounters()
    var received = Burst()
    var sent = Burst()
    while true {
        let now = clock.monotonic
        if sent.isEmpty, port.receive(into: &received) == 0 { port.wait(milliseconds: 10) }
        while var packet = received.popFirst() {
            // Room for an answer, which is as long as the question.
            guard var answer = port.makePacket(), answer.append(max(packet.count, 94)) else { continue }
            var bytes = answer.mutableBytes
            let verdict = host.receive(packet.bytes, at: now, answer: &bytes, counters: counters)
            switch verdict {
            case .answer(let count):
                if answer.trimBack(answer.count - count) { sent.append(answer) }
            case .notMine:
                guard let headers = packet.udp, headers.destination == service else { continue }
                packet.swapEndpoints(headers)
                sent.append(packet)
            case .taken, .path: continue
            }
        }
        // What the host says unasked: that its addresses are its own, and which groups it is in.
        while sent.room > 0, var frame = port.makePacket(), frame.append(EndHost.longestOwnFrame) {
            var bytes = frame.mutableBytes
            guard let count = host.advance(to: now, frame: &bytes, counters: counters),
                frame.trimBack(frame.count - count)
            else { break }
            sent.append(frame)
        }
        while let event = host.nextEvent() { print(event) }
        port.transmit(&sent)
        port.flush()
    }
}
