import ApusWire
import Testing

@Suite struct AddressTests {
    @Test(arguments: ["192.0.2.1\0", "192.0.2.1\0x", "\0192.0.2.1", "2001:db8::1\0", "::\0x", "\0", ""])
    func `an address ends with its text, not with a zero in it`(text: String) {
        #expect(IPv4Address(text) == nil && IPv6Address(text) == nil && IPAddress(text) == nil)
        #expect(Endpoint("\(text):5004") == nil && Endpoint("[\(text)]:5004") == nil)
    }

    @Test func `addresses and endpoints are written as they are read`() {
        for text in ["192.0.2.1:5004", "0.0.0.0:1", "[2001:db8::7]:65535", "[::]:5004"] {
            #expect(Endpoint(text)?.description == text)
        }
        for text in [
            "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:+1", "[192.0.2.1]:1", "::1:5004",
        ] {
            #expect(Endpoint(text) == nil, "\(text)")
        }
    }
}
