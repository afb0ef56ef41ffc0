import Glibc
import NetworkLab
import Testing

@testable import ApusHost

@Suite("What one program at a time may do with an interface")
struct InterfaceClaimTests {
    @Test func `It is refused to a second, with the name of the first, until that is gone`() throws {
        // An index that no interface has.
        let index = UInt32(1 << 30) + UInt32(getpid())
        var first: InterfaceClaim? = try InterfaceClaim("test", on: index)
        let refusal = try #require(throws: InterfaceClaim.Refusal.self) {
            _ = try InterfaceClaim("test", on: index)
        }
        guard case .taken(let holder?) = refusal else {
            Issue.record("\(refusal)")
            return
        }
        #expect(holder.pid == getpid())
        _ = try InterfaceClaim("test", on: index + 1)
        _ = try InterfaceClaim("other", on: index)
        withExtendedLifetime(first) {}
        first = nil
        _ = try InterfaceClaim("test", on: index)
    }
}
