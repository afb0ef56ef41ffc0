import ApusWire
import Glibc

/// Lends an IP address and a UDP port in the form that the socket calls take.
///
/// The address lives on this function's stack for as long as `body` runs; each family's structure is what the
/// socket calls expect behind a `sockaddr` of that family and length.
///
/// - Parameter scope: the index of the interface, which only IPv6 link-local addresses need.
func withSocketAddress<R>(
    _ address: IPAddress, port: UInt16, scope: Int32, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
) -> R {
    switch address {
    case .v4(let v4):
        var form = sockaddr_in()
        form.sin_family = sa_family_t(AF_INET)
        form.sin_port = port.bigEndian
        form.sin_addr.s_addr = v4.bits.bigEndian
        return unsafe withUnsafePointer(to: form) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    case .v6(let v6):
        var form = sockaddr_in6()
        form.sin6_family = sa_family_t(AF_INET6)
        form.sin6_port = port.bigEndian
        unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { octets in
            unsafe octets.storeBytes(of: v6.high.bigEndian, as: UInt64.self)
            unsafe octets.storeBytes(of: v6.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        if v6.isLinkLocal || v6.isMulticast { form.sin6_scope_id = UInt32(bitPattern: scope) }
        return unsafe withUnsafePointer(to: form) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}

/// Binds a socket to an address and a port; 0, or -1 with the reason in errno, as bind(2).
///
/// - Parameter scope: the index of the interface, which only IPv6 link-local addresses need.
package func bindSocket(_ descriptor: Int32, to endpoint: Endpoint, scope: Int32 = 0) -> Int32 {
    unsafe withSocketAddress(endpoint.address, port: endpoint.port, scope: scope) {
        unsafe bind(descriptor, $0, $1)
    }
}
