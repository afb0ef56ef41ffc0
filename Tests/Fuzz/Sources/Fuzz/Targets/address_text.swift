import ApusWire

/// Addresses as people write them: what is read must be written and read again as the same.
@c(fuzz_address_text)
public func fuzzAddressText(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    if let address = IPAddress(text) { precondition(IPAddress(address.description) == address) }
    if let address = MACAddress(text) { precondition(MACAddress(address.description) == address) }
    if let endpoint = Endpoint(text) { precondition(Endpoint(endpoint.description) == endpoint) }
    return 0
}
