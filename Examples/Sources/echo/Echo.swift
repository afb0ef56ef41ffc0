import Apus

/// Sends each UDP datagram that comes to `service` back to where it came from, until `isDone`.
func echo<Driver: PortDriver & ~Copyable>(
    over port: inout Port<Driver>, service: UInt16, until isDone: (borrowing Driver) -> Bool
) {
    var burst = Burst()
    while !(burst.isEmpty && isDone(port.driver)) {
        if burst.isEmpty {
            if port.receive(into: &burst) == 0 { port.wait(milliseconds: 10) }
            burst.keep { packet in
                guard let headers = packet.udp, headers.destinationPort == service else { return false }
                packet.swapEndpoints(headers)
                return true
            }
        }
        port.transmit(&burst)
        port.flush()
    }
}
