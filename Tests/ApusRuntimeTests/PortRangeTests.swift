import ApusConfig
import ApusHost
import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// What a configuration may say of a port, held against what the drivers and the kernel take.
@Suite("The ranges of a port's settings", .requires(.root), .timeLimit(.minutes(2)))
struct PortRangeTests {
    private func inNamespace(_ body: (HostView) throws -> Void) throws {
        let net = try Pair("ranges")
        defer { net.close() }
        try net.b.enter { try body(try HostView()) }
    }

    private func configuration(_ text: String) throws -> ForwarderConfiguration {
        try ForwarderConfiguration(
            parsing: ConfigurationSource(
                name: "x",
                text: """
                    { streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:5004"] }],
                    \(text) }
                    """))
    }

    @Test(
        "the greatest and the least rings that a configuration may ask for are opened",
        arguments: [
            "backend: 'packet', ringSize: 32768", "backend: 'packet', ringSize: 64",
            "backend: 'xdp', mode: 'generic', ringSize: 65536, frames: 131328",
            "backend: 'xdp', mode: 'generic', ringSize: 64",
        ])
    func rings(settings: String) throws {
        try inNamespace { _ in
            let forwarder = try Forwarder(try configuration("defaults: { \(settings) }"))
            #expect(forwarder.grants.count == 1)
            _ = forwarder.stop()
        }
    }

    @Test("as many frames as a configuration may ask for are what a memory can have")
    func frames() throws {
        let most = FrameMemory.maximumFrames
        #expect(try configuration("defaults: { frames: \(most) }").defaults.frames == most)
        #expect(throws: ConfigurationErrors.self) { try configuration("defaults: { frames: \(most + 1) }") }
    }

    @Test(
        "what the host can't give is refused with its place, before anything is opened",
        arguments: [
            (
                "defaults: { backend: 'packet', frames: 1048576 }, workers: { count: 2 }",
                "x:2:40: vb: 2 × 1048576 frames are 2097152, and a memory has 1048576 at most; "
                    + "write a smaller \"ringSize\" or \"frames\""
            ),
            (
                "defaults: { backend: 'xdp', queues: 2 }",
                "x:2:37: vb has 1 receive queue, and 2 are asked for; `ethtool -L vb combined 2` (or rx) changes it "
                    + "where the driver can"
            ),
            (
                "workers: { cpus: [0, 1023] }",
                "x:2:22: this process can't run on core 1023; `nproc --all` counts those there are, and "
                    + "`taskset -cp` shows those it may use"
            ),
        ])
    func host(text: String, message: String) throws {
        try inNamespace { host in
            let configuration = try configuration(text)
            let error = #expect(throws: ForwarderError.self) {
                _ = try HostCheck.interfaces(for: configuration, on: host)
            }
            // A number of frames is the user's to choose; queues and cores are what the host has.
            if case .unavailable? = error { #expect(!message.contains("frames")) }
            if case .configuration? = error { #expect(message.contains("frames")) }
            #expect(error.map { "\($0)".split(separator: "\n").first.map(String.init) } == message)
        }
    }

    @Test("each core that is named gets a worker")
    func cores() throws {
        try inNamespace { host in
            let configuration = try configuration(
                "defaults: { backend: 'packet' }, workers: { cpus: [1, 0] }")
            #expect(OpenInterfaces.workerCount(["vb"], configuration, host) == 2)
        }
    }

    private func feature(_ name: String, of forwarder: Forwarder) -> PortGrant.Feature? {
        forwarder.grants.first?.features.first { $0.name == name }
    }

    @Test(
        "queues, workers and cores that were asked for are granted, or it is said why not",
        arguments: ["packet", "xdp"])
    func grants(backend: String) throws {
        try inNamespace { _ in
            var more: Forwarder! = try Forwarder(
                try configuration("defaults: { backend: '\(backend)' }, workers: { cpus: [0, 1] }"))
            let queues = try #require(feature("queues", of: more))
            let workers = try #require(feature("workers", of: more))
            let core = try #require(feature("core", of: more))
            #expect(workers.requested == "2")
            #expect(workers == PortGrant.Feature("workers", requested: "2", granted: "2"))
            if backend == "xdp" {
                #expect(queues == PortGrant.Feature("queues", requested: "all", granted: "1"))
                let flows = try #require(feature("flows", of: more))
                #expect(
                    flows.granted == "spread over 2 workers by software" && flows.reason == "vb has 1 queue")
            } else {
                // Each worker has a socket of its own, which is a queue to it.
                #expect(queues == PortGrant.Feature("queues", requested: "all", granted: "2"))
                #expect(feature("flows", of: more) == nil)
            }
            #expect(core == PortGrant.Feature("core", requested: "0", granted: "0"))
            more = nil

            let settings = "backend: '\(backend)'" + (backend == "xdp" ? ", queues: 1" : "")
            let plain = try Forwarder(try configuration("defaults: { \(settings) }"))
            let requested = backend == "xdp" ? "1" : "all"
            #expect(
                feature("queues", of: plain)
                    == PortGrant.Feature("queues", requested: requested, granted: "1"))
            #expect(plain.grants.allSatisfy { grant in grant.features.allSatisfy { $0.name != "core" } })
            _ = plain.stop()
        }
    }

    @Test("a worker that the kernel does not let on its core runs, and says so")
    func refusedCore() throws {
        let pinned = try WorkerThread(name: "pinned", cpu: 0) {}
        let refused = try WorkerThread(name: "refused", cpu: 1023) {}
        let free = try WorkerThread(name: "free", cpu: nil) {}
        for thread in [pinned, refused, free] { thread.join() }
        #expect(pinned.pinFailure == nil && free.pinFailure == nil && refused.pinFailure == EINVAL)
    }
}
