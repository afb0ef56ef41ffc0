import Apus
import NetworkLab
import Testing

@Suite(.timeLimit(.minutes(3))) struct OpenPortTests {
    @Test func `an interface that is not there is named once, beside those that are`() {
        let error = #expect(throws: OpenPortError.self) { _ = try openPort("nosuchif0", udp: [7]) }
        let text = "\(error as Any)"
        #expect(
            text.contains("nosuchif0 can't be opened; there is no such interface; there are: "), "\(text)")
        #expect(text.matches(of: /nosuchif0/).count == 1 && text.contains("lo"), "\(text)")
    }

    @Test(.requires(.root), arguments: [BackendChoice.xdp, .packet])
    func `Its UDP ports are this process's for as long as it lives`(backend: BackendChoice) throws {
        let pair = try Pair("heldports")
        defer { pair.close() }
        try pair.lab.link(pair.a, "other", pair.b, "far")
        try pair.a.enter {
            let first = try openPort("va", udp: [7, 9], backend: backend, frames: 4096)
            do {
                // Another of this process, for a port of the first.
                let second = try openPort("other", udp: [9, 11], backend: .packet, frames: 4096)
                #expect(second.grant.interface == "other")
                #expect(try [7, 9, 11].allSatisfy { try !isFree($0, in: pair.a) })
            }
            #expect(try isFree(11, in: pair.a) && !isFree(9, in: pair.a))
            // In another network namespace the port is another one.
            try pair.b.enter {
                let there = try openPort("vb", udp: [7], backend: .packet, frames: 4096)
                #expect(there.grant.interface == "vb")
                #expect(try !isFree(7, in: pair.b))
            }
            #expect(first.grant.backend.rawValue == backend.rawValue)
        }
        #expect(try isFree(7, in: pair.a) && isFree(9, in: pair.a))
    }

    @Test(.requires(.root, .program("python3")), arguments: BackendChoice.allCases)
    func `A UDP port in use is refused with who has it, and nothing stays held`(
        backend: BackendChoice
    ) throws {
        let pair = try Pair("inuse")
        defer { pair.close() }
        let script = """
            import socket, time
            s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('2001:db8::1', 7))
            print('bound', flush=True); time.sleep(60)
            """
        let other = try pair.a.start(["python3", "-c", script])
        try other.waitForLine(containing: "bound")
        let error = try pair.a.enter {
            #expect(throws: OpenPortError.self) { _ = try openPort("va", udp: [9, 7], backend: backend) }
        }
        guard case .portInUse(_, let holder?) = error?.cause else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(holder.pid == other.pid)
        #expect(
            error?.description.hasPrefix("va can't be opened; [::]:7 is in use by \(holder); ") == true,
            "\(error as Any)")
        #expect(try isFree(9, in: pair.a))
    }

    @Test(.requires(.root)) func `Of several receive queues AF_XDP takes one by its number, or each`() throws
    {
        let pair = try Pair("queues", queues: 2)
        defer { pair.close() }
        try pair.a.enter {
            let error = #expect(throws: OpenPortError.self) {
                _ = try openPort("va", udp: [7], backend: .xdp)
            }
            let text = "it has 2 receive queues and a port is one of them"
            #expect(error?.description.contains(text) == true, "\(error as Any)")
            do {
                let all = try openPort("va", udp: [7], frames: 4096)
                #expect(all.grant.backend == .packet)
                #expect(all.grant.lesser.first?.reason?.contains(text) == true)
            }
            do {
                let one = try openPort("va", udp: [7], backend: .xdp, queue: 1, frames: 4096)
                #expect(one.grant.backend == .xdp && one.grant.queue == 1)
            }
            let interface = try XDPInterface("va"), held = try PortGuard(Endpoint("0.0.0.0:7")!)
            try interface.add(held.endpoint)
            let ports = try FixedArray(count: interface.queueCount) { try interface.open(queue: $0) }
            #expect(ports.count == 2 && ports[0].grant.queue == 0 && ports[1].grant.queue == 1)
        }
    }

    /// Whether another process can bind the port, of either IP version.
    private func isFree(_ port: UInt16, in space: Namespace) throws -> Bool {
        let script = """
            import errno, socket
            for family in socket.AF_INET, socket.AF_INET6:
                s = socket.socket(family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try: s.bind(('', \(port))); print('free')
                except OSError as error: print(error.errno == errno.EADDRINUSE and 'held' or error)
            """
        let found = try space.run("python3", "-c", script).standardOutput
        try #require(["free\nfree\n", "held\nheld\n"].contains(found), "\(found)")
        return found.hasPrefix("free")
    }
}
