import ApusHost
import CCapNG
import NetworkLab
import Testing

/// Takes all capabilities from the calling thread, which must be one of the test's own.
func dropCapabilities() {
    capng_clear(CAPNG_SELECT_CAPS)
    #expect(capng_apply(CAPNG_SELECT_CAPS) == 0)
}

@Suite("Capabilities", .requires(.root))
struct CapabilitiesTests {
    @Test("what is missing is named with the command that grants it")
    func missing() throws {
        let lab = NetworkLab("capabilities")
        defer { lab.close() }
        #expect(Capabilities.current().has(.netRaw))
        try Capabilities.require([.netRaw, .netAdmin], for: "opening a port")
        let error = try lab.namespace("a").enter {
            dropCapabilities()
            return #expect(throws: HostError.self) {
                try Capabilities.require([.netRaw, .netAdmin], for: "opening a port")
            }
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("opening a port needs CAP_NET_RAW, CAP_NET_ADMIN; run as root, or once: "))
        #expect(text.contains("setcap cap_net_raw,cap_net_admin+ep /"))
        #expect(Capabilities.current().has(.netRaw))
    }
}
