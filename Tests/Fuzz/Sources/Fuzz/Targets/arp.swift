import ApusWire

/// A message that is taken must be written as it was.
@c(fuzz_arp)
public func fuzzARP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = unsafe input(start, count)
    guard let view = try? ARPView(checking: bytes) else { return 0 }
    let message = ARPMessage(view)
    var octets = [UInt8](repeating: 0, count: 28)
    try! write(&octets) { bytes throws in try message.encode(into: &bytes) }
    precondition(equal(octets.raw, view.bytes))
    use(ARPMessage(answering: view, with: .broadcast).operation)
    return 0
}
