import Apus
import CTwins

extension encapsulation {
    /// The twin's form of headers to send behind, without VLAN tags.
    init(_ headers: UDPEncapsulation) {
        self.init()
        // What they are is not public, so they are written once and read again.
        var bytes = [UInt8](repeating: 0, count: headers.byteCount)
        let flow: FlowHeaders
        do {
            var span = bytes.mutableSpan
            var raw = unsafe span.mutableBytes
            try headers.encode(into: &raw, payloadLength: 0, udpChecksum: 0)
            flow = try FlowHeaders(checking: unsafe bytes.span.bytes)
        } catch {
            fatalError("headers that were just written can be read: \(error)")
        }
        (next_hop, interface) = (headers.nextHop.bits, headers.interface.bits)
        (is_ipv6, hop_limit) = (headers.isIPv6 ? 1 : 0, headers.hopLimit)
        (traffic_class, flow_label) = (headers.trafficClass, headers.flowLabel)
        (source_port, destination_port) = (headers.sourcePort, headers.destinationPort)
        (source_high, source_low) = (flow.sourceHigh, flow.sourceLow)
        (destination_high, destination_low) = (flow.destinationHigh, flow.destinationLow)
    }
}
