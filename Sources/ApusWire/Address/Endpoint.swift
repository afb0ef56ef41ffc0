/// An address and a UDP port: where a stream listens, or where it goes.
@frozen
public struct Endpoint: Hashable, Sendable, BitwiseCopyable {
    /// The IPv4 or IPv6 address.
    public var address: IPAddress
    /// The UDP port, in host byte order.
    public var port: UInt16

    /// Joins an address and a port.
    @inlinable
    public init(_ address: IPAddress, port: UInt16) { (self.address, self.port) = (address, port) }
}

extension Endpoint: LosslessStringConvertible {
    /// Reads `192.0.2.1:5004` or `[2001:db8::7]:5004`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            case let digits = text[text.index(after: colon)...],
            digits.allSatisfy(\.isASCIIDigit), let port = UInt16(digits)
        else { return nil }
        let host = text[..<colon]
        if host.first == "[", host.last == "]" {
            guard let address = IPv6Address(String(host.dropFirst().dropLast())) else { return nil }
            self.init(.v6(address), port: port)
        } else {
            guard let address = IPv4Address(String(host)) else { return nil }
            self.init(.v4(address), port: port)
        }
    }

    /// `192.0.2.1:5004` or `[2001:db8::7]:5004`.
    public var description: String {
        switch address {
        case .v4(let address): "\(address):\(port)"
        case .v6(let address): "[\(address)]:\(port)"
        }
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
