import ApusWire

/// Where a metrics server listens: an ``Endpoint``, and help for who writes nothing but its port.
package struct MetricsPlace: ConfigurationValue {
    /// The address and port.
    package var endpoint: Endpoint

    /// See ``ConfigurationValue/expectation``.
    package static var expectation: String { "\"address:port\", such as \"127.0.0.1:9469\"" }

    /// Reads `"127.0.0.1:9469"`.
    package static func read(_ value: JSON5Value) throws(ValueRefusal) -> MetricsPlace {
        let port: UInt16? =
            switch value.kind {
            case .integer(let number): UInt16(exactly: number)
            case .string(let text): UInt16(text)
            default: nil
            }
        if let port, port > 0 {
            throw ValueRefusal(
                expected: expectation, found: value, hint: "did you mean \"127.0.0.1:\(port)\"?")
        }
        return MetricsPlace(endpoint: try Endpoint.read(value))
    }
}
