import ApusConfig
import ApusHost
import ApusRings
import NetworkLab
import Testing

@testable import ApusRuntime
@testable import ApusXDP

/// Two interfaces that are opened over AF_XDP share their frames, and each has what is its own.
@Suite("Interfaces that share frames", .requires(.root), .timeLimit(.minutes(2)))
struct SharedMemoryTests {
    private func configuration(_ near: String, _ far: String, defaults: String = "mode: 'generic'") throws
        -> ForwarderConfiguration
    {
        try ForwarderConfiguration(
            parsing: ConfigurationSource(
                name: "x",
                text: """
                    {
                      streams: [{ listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"] }],
                      defaults: { \(defaults) },
                      interfaces: [
                        { name: 'near', \(near) },
                        { name: 'far', \(far) },
                      ],
                    }
                    """))
    }

    private func inRelay(_ purpose: String, _ body: () throws -> Void) throws {
        let line = try ForwarderNetworkTests.Line(purpose)
        defer { line.lab.close() }
        try line.relay.enter { try body() }
    }

    @Test(
        "each has the rings that its configuration asks for, whichever is opened first",
        arguments: [(64, 4096), (4096, 64), (256, 256)])
    func rings(sizes: (near: Int, far: Int)) throws {
        try inRelay("rings") {
            let configuration = try configuration(
                "ringSize: \(sizes.near), frames: 16384", "ringSize: \(sizes.far), frames: 16384",
                defaults: "mode: 'generic', backend: 'xdp'")
            let interfaces = try OpenInterfaces(
                ["near", "far"], configuration: configuration, host: HostView())
            for (number, size) in [sizes.near, sizes.far].enumerated() {
                guard case .xdp(let interface)? = interfaces.opened[number] else {
                    Issue.record("it is not open over AF_XDP")
                    continue
                }
                let port = try interface.open(queue: 0)
                let (receive, transmit) = unsafe (port.driver.receiveRing.size, port.driver.transmitRing.size)
                #expect(Int(receive) == size && Int(transmit) == size)
                // The fill ring has two for each descriptor, and its frames are with the kernel.
                let inside = port.driver.framesInside
                #expect(inside == min(2 * size, 16384 / 2), "\(interface.name)")
                #expect(interface.memory === interfaces.memory)
            }
            interfaces.close()
        }
    }

    @Test(
        "what belongs to the frames is refused where it differs, with both places, before anything is opened",
        arguments: [
            (
                "frameSize: 4096", "backend: 'auto'", "mode: 'generic'",
                """
                x:6:5: near and far share their frames, and different values are asked for: "frameSize" is 2048 for \
                far and 4096 for near; write the same for both, or backend: "packet" for one of them
                """, "x:5:32"
            ),
            (
                "ringSize: 64", "hugepages: 'never'", "mode: 'generic', hugepages: 'auto'",
                """
                x:6:31: near and far share their frames, and different values are asked for: "hugepages" is "never" \
                for far and "auto" for near; write the same for both, or backend: "packet" for one of them
                """, "x:3:43"
            ),
            (
                "zeroCopy: 'never'", "zeroCopy: 'auto'", "backend: 'xdp'",
                """
                x:6:30: near and far share their frames, and different values are asked for: "zeroCopy" is "auto" \
                for far and "never" for near; write the same for both, or backend: "packet" for one of them
                """, "x:5:31"
            ),
        ])
    func conflicts(near: String, far: String, defaults: String, error: String, note: String) throws {
        try inRelay("conflict") {
            let configuration = try configuration(near, far, defaults: defaults)
            let refused = #expect(throws: ForwarderError.self) { _ = try Forwarder(configuration) }
            guard case .configuration(let errors)? = refused else {
                Issue.record("\(String(describing: refused))")
                return
            }
            #expect(errors.errors.count == 1)
            let text = "\(errors.errors[0])"
            #expect(text.hasPrefix(error) && text.contains(note), "\(text)")
        }
    }

    @Test("AF_PACKET shares nothing, and may have frames of another size")
    func packetSockets() throws {
        try inRelay("apart") {
            let forwarder = try Forwarder(
                try configuration(
                    "frameSize: 4096, backend: 'packet'", "hugepages: 'never', mode: 'generic'",
                    defaults: "ringSize: 256"))
            #expect(forwarder.grants.map(\.backend) == [.packet, .xdp])
            _ = forwarder.stop()
        }
    }

    @Test("zero-copy that is required and can't be had is an error also where the first interface has none")
    func required() throws {
        try inRelay("required") {
            let configuration = try configuration(
                "zeroCopy: 'auto'", "zeroCopy: 'require'", defaults: "backend: 'xdp', mode: 'native'")
            let refused = #expect(throws: ForwarderError.self) { _ = try Forwarder(configuration) }
            let text = try #require(refused).description
            #expect(text.hasPrefix("far: required zero-copy, which can't be had: "), "\(text)")
        }
    }
}
