import ApusWire
import CXDP

extension apus_steer_key {
    /// The key of an endpoint in the steering program's map, in network byte order.
    init(_ endpoint: Endpoint) {
        self.init()
        port = endpoint.port.bigEndian
        switch endpoint.address {
        case .v4(let address):
            family = 4
            unsafe withUnsafeMutableBytes(of: &self.address) { octets in
                unsafe octets.storeBytes(of: address.bits.bigEndian, as: UInt32.self)
            }
        case .v6(let address):
            family = 6
            unsafe withUnsafeMutableBytes(of: &self.address) { octets in
                unsafe octets.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                unsafe octets.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        }
    }
}
