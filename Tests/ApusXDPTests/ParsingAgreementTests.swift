import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Testing

/// Which headers may stand in front of UDP is said three times: in the steering program, in the filter of packet
/// sockets, and in the parser that both feed. Here each frame goes through all three.
@Suite("Three readers of one frame", .requires(.root), .timeLimit(.minutes(2)))
struct ParsingAgreementTests {
    /// What becomes of a frame to the port that is asked for.
    enum Fate {
        /// Steered, let through and read.
        case taken
        /// Steered and let through, but refused by name by the parser: it is ours, and wrong.
        case refused
        /// The kernel's: not steered, and the parser does not find UDP. The filter leaves it out.
        case kernels
        /// The same, but the filter can't see so far and lets it through.
        case kernelsBehindFilter
    }

    struct Case {
        let name: String
        let frame: [UInt8]
        let fate: Fate

        init(_ name: String, _ fate: Fate, _ datagram: Datagram, tags: [UInt16] = []) {
            (self.name, self.fate) = (name, fate)
            let frame = datagram.frame
            self.frame = frame[..<12] + tags.flatMap { bytes($0) + bytes(5 as UInt16) } + frame[12...]
        }
    }

    private static let plain = Datagram()

    private static func six(_ extensions: [(type: UInt8, body: [UInt8])] = [], proto: UInt8 = 17) -> Datagram
    {
        var datagram = Datagram()
        datagram.source = Endpoint("[2001:db8::1]:4000")!
        datagram.destination = Endpoint("[2001:db8::2]:5004")!
        (datagram.extensions, datagram.proto) = (extensions, proto)
        return datagram
    }

    /// Eight octets of an extension header that has nothing to say.
    private static func header(_ type: UInt8) -> (type: UInt8, body: [UInt8]) {
        switch type {
        case 0, 60: (type, [0, 1, 4, 0, 0, 0, 0])
        // RFC 4302: the length in units of four octets, less two.
        case 51: (type, [1] + [UInt8](repeating: 0, count: 10))
        default: (type, [UInt8](repeating: 0, count: 7))
        }
    }

    static let cases: [Case] = {
        var cases = [Case("IPv4", .taken, plain), Case("IPv6", .taken, six())]
        for (name, datagram) in [("IPv4", plain), ("IPv6", six())] {
            for tags: [UInt16] in [
                [0x8100], [0x88a8], [0x88a8, 0x8100], [0x8100, 0x8100], [0x88a8, 0x88a8],
            ] {
                cases.append(Case("\(name) behind tags \(tags)", .taken, datagram, tags: tags))
            }
            for tags: [UInt16] in [[0x9100], [0x9100, 0x8100], [0x8100, 0x9100], [0x8100, 0x8100, 0x8100]] {
                cases.append(Case("\(name) behind tags \(tags)", .kernels, datagram, tags: tags))
            }
        }
        var options = plain
        options.options = [UInt8](repeating: 1, count: 40)
        cases.append(Case("IPv4 options", .taken, options))
        var authentication = plain
        authentication.proto = 51
        cases.append(Case("AH over IPv4", .kernels, authentication))
        for type in [0, 43, 44, 60] as [UInt8] {
            cases.append(Case("behind \(type)", .taken, six([header(type)])))
        }
        // ESP, authentication, mobility, HIP, shim6, experiments.
        for type in [50, 51, 135, 139, 140, 253, 254] as [UInt8] {
            cases.append(Case("behind \(type)", .kernels, six([header(type)])))
            cases.append(Case("behind 60 and \(type)", .kernels, six([header(60), header(type)])))
            cases.append(
                Case(
                    "behind 0, 60 and \(type)", .kernelsBehindFilter,
                    six([header(0), header(60), header(type)])))
        }
        cases.append(
            Case(
                "the order of RFC 8200", .taken,
                six([header(0), header(60), header(43), header(44), header(60)])))
        cases.append(Case("8 of 60", .taken, six(Array(repeating: header(60), count: 8))))
        cases.append(Case("9 of 60", .kernelsBehindFilter, six(Array(repeating: header(60), count: 9))))
        cases.append(Case("no UDP behind 60", .kernels, six([header(60)], proto: 58)))
        cases.append(Case("a fragment", .kernelsBehindFilter, six([(44, [0, 0, 1, 0, 0, 0, 1])])))
        cases.append(Case("a source route", .refused, six([(43, [0, 0, 1, 0, 0, 0, 0])])))
        cases.append(Case("an unknown option", .refused, six([(60, [0, 0x81, 4, 0, 0, 0, 0])])))
        cases.append(Case("hop-by-hop behind another", .refused, six([header(60), header(0)])))
        return cases
    }()

    @Test func `The steering program, the filter and the parser know the same headers`() throws {
        let lab = NetworkLab("agreement")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        for space in [a, b] {
            try space.run(
                "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        }
        try lab.link(a, "va", b, "vb")
        let wire = try a.enter { try Wire("va") }
        try b.enter {
            // No socket is open, so what it would steer goes on to the kernel, and so to the tap.
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            var options = PacketSocketOptions()
            options.filter = .udpPorts([5004])
            let interface = try PacketSocketInterface("vb", options: options)
            var port = try interface.makePort(
                pool: FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64))
            for family in ["0.0.0.0", "[::]"] { try steering.add(Endpoint("\(family):5004")!) }
            for one in Self.cases {
                let before = steering.counters
                try wire.send(one.frame)
                for _ in 0..<500 where steering.counters.seen == before.seen { usleep(1000) }
                try #require(steering.counters.seen == before.seen + 1, "\(one.name)")
                let isSteered = steering.counters.passedNoSocket > before.passedNoSocket
                #expect(isSteered == (one.fate == .taken || one.fate == .refused), "\(one.name), steering")

                var passed = false
                var burst = Burst()
                for _ in 0..<(one.fate == .kernels ? 30 : 1000) where !passed {
                    passed = port.receive(into: &burst) > 0
                    burst.removeAll()
                    if !passed { usleep(1000) }
                }
                #expect(passed == (one.fate != .kernels), "\(one.name), filter")

                let read = Result { try unsafe FlowHeaders(checking: one.frame.span.bytes) }
                switch (one.fate, read) {
                case (.taken, .success(let headers)): #expect(headers.destinationPort == 5004, "\(one.name)")
                case (.taken, _), (_, .success):
                    Issue.record("\(one.name), parser: \(read)")
                case (.refused, .failure(let failure)):
                    #expect(failure as? ParseFailure != .notUDP, "\(one.name), parser")
                default: break
                }
            }
        }
    }
}
