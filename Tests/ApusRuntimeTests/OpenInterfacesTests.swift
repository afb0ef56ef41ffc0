import ApusConfig
import ApusHost
import ApusWire
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("Interfaces of a forwarder", .requires(.root))
struct OpenInterfacesTests {
    @Test("endpoints that could not all be taken are given back: the kernel has their packets as before")
    func rollBack() throws {
        let lab = NetworkLab("rollback")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        try lab.link(a, "va", ["192.0.2.1/24"], b, "vb", ["192.0.2.2/24"])
        try b.enter {
            let stream = StreamConfiguration(
                listen: Endpoint("192.0.2.2:5004")!, to: [Endpoint("192.0.2.1:5004")!])
            let configuration = ForwarderConfiguration(
                streams: [stream], defaults: PortConfiguration(backend: .xdp, mode: .generic))
            let interfaces = try OpenInterfaces(["vb"], configuration: configuration, host: HostView())
            defer { interfaces.close() }
            // One more than the program's map has room for.
            #expect(throws: ForwarderError.self) { try interfaces.serve(endpoints(10, 65_537)) }
            // As many as there is room for: nothing of the others is left.
            try interfaces.serve(endpoints(11, 65_536))
        }
    }

    @Test("as many endpoints as there is room for can be exchanged for others, one or all of them")
    func exchange() throws {
        let lab = NetworkLab("exchange")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        try lab.link(a, "va", ["192.0.2.1/24"], b, "vb", ["192.0.2.2/24"])
        try b.enter {
            let stream = StreamConfiguration(
                listen: Endpoint("192.0.2.2:5004")!, to: [Endpoint("192.0.2.1:5004")!])
            let configuration = ForwarderConfiguration(
                streams: [stream], defaults: PortConfiguration(backend: .xdp, mode: .generic))
            let interfaces = try OpenInterfaces(["vb"], configuration: configuration, host: HostView())
            defer { interfaces.close() }
            let all = endpoints(10, 65_536)
            try interfaces.serve(all)
            try interfaces.serve(all.dropFirst() + [stream.listen])
            try interfaces.serve(endpoints(11, 65_536))
            // One too many leaves those that were there: exactly as many fit as before.
            #expect(throws: ForwarderError.self) { try interfaces.serve(endpoints(11, 65_537)) }
            try interfaces.serve(endpoints(11, 65_535) + [stream.listen])
        }
    }

    private func endpoints(_ network: UInt32, _ count: Int) -> [Endpoint] {
        (0..<count).map {
            Endpoint(.v4(IPv4Address(bits: network << 24 | UInt32($0 >> 8))), port: UInt16($0 & 255) + 1)
        }
    }
}
