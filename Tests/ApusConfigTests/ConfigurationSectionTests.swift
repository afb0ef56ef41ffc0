import ApusConfig
import ApusWire
import Testing

/// The rules of interfaces, workers, limits and the services, and those of a file or options as a whole.
@Suite struct ConfigurationSectionTests {
    @Test(arguments: [
        (
            "backend: 'xpd'",
            #"2:26: expected "auto", "xdp", "packet" or "dpdk", found "xpd"; did you mean "xdp"?"#
        ),
        ("backend: 1", #"2:26: expected "auto", "xdp", "packet" or "dpdk", found 1"#),
        ("backend: 'warp'", #"2:26: expected "auto", "xdp", "packet" or "dpdk", found "warp""#),
        ("mode: 'offload'", #"2:23: expected "auto", "native" or "generic", found "offload""#),
        ("zerocopy: 'never'", #"2:17: unknown key "zerocopy"; did you mean "zeroCopy"?"#),
        (
            "zeroCopy: 'requires'",
            #"2:27: expected "auto", "require" or "never", found "requires"; did you mean "require"?"#
        ),
        ("queues: 0", "2:25: expected a number of queues from 1 to 256, found 0"),
        (
            "ringSize: 1000",
            "2:27: expected a power of two, the descriptors of a ring, from 64 to 65536, found 1000"
        ),
        (
            "ringSize: 32",
            "2:27: expected a power of two, the descriptors of a ring, from 64 to 65536, found 32"
        ),
        ("frameSize: 1500", "2:28: expected a frame size of 2048 or 4096 bytes, found 1500"),
        (
            "ringSize: 65536",
            #"2:27: expected a power of two, the slots of a ring of AF_PACKET, from 64 to 32768, found 65536, which backend: "auto" may come to; write a smaller one or backend: "xdp""#
        ),
        (
            "backend: 'packet', ringSize: 65536",
            #"2:46: expected a power of two, the slots of a ring of AF_PACKET, from 64 to 32768, found 65536; write a smaller one or backend: "xdp"|2:26: the backend is chosen here"#
        ),
        (
            "backend: 'xdp', ringSize: 131072",
            "2:43: expected a power of two, the descriptors of a ring, from 64 to 65536, found 131072"
        ),
        (
            "frames: 255", "2:25: expected a number of frames for each queue from 256 to 1048576, found 255"
        ),
        (
            "frames: 1048577",
            "2:25: expected a number of frames for each queue from 256 to 1048576, found 1048577"
        ),
        (
            "frames: 4095, queues: 2",
            "2:25: expected at least 4096 frames for each queue, as 2048 are kept ready to receive and as many may wait to be sent, found 4095"
        ),
        ("busyPoll: { microseconds: 0 }", "2:43: expected microseconds from 1 to 10000, found 0"),
        ("busyPoll: { budget: 65536 }", "2:37: expected a number of packets from 1 to 65535, found 65536"),
        ("busyPoll: true", "2:27: expected an object, found true"),
        (
            "zeroCopy: 'require', mode: 'generic'",
            #"2:27: zero-copy is required, and the generic mode has none; write mode: "native" or zeroCopy: "auto"|2:44: the mode is chosen here"#
        ),
        (
            "backend: 'packet', mode: 'native'",
            #"2:42: mode: "native" is a matter of AF_XDP, and backend: "packet" is AF_PACKET; leave it out|2:26: the backend is chosen here"#
        ),
        (
            "backend: 'packet', zeroCopy: 'require'",
            #"2:46: zero-copy is required, and AF_PACKET has none; write backend: "xdp" or zeroCopy: "auto"|2:26: the backend is chosen here"#
        ),
        (
            "backend: 'packet', queues: 1",
            #"2:44: queues are a matter of AF_XDP, and backend: "packet" is AF_PACKET, which has a socket for each worker; leave it out|2:26: the backend is chosen here"#
        ),
        (
            "backend: 'packet', busyPoll: {}",
            #"2:46: busy polling is a matter of AF_XDP, and backend: "packet" is AF_PACKET; leave it out|2:26: the backend is chosen here"#
        ),
    ])
    func `the settings of a port are checked`(settings: String, messages: String) {
        let messages = messages.split(separator: "|").map(String.init)
        Rule.expect(Rule.with("interfaces:  [{ \(settings), name: 'eth0' }]"), messages)
        // The same settings as defaults, and not once more for an interface that takes them over.
        Rule.expect(
            Rule.with("defaults:     { \(settings) },\ninterfaces: [{ name: 'eth0' }, { name: 'eth1' }]"),
            messages)
    }

    @Test(arguments: [
        (
            "interfaces: [{ name: 'eth0' }, { name: 'eth0' }]",
            "2:40: the interface \"eth0\" is listed twice|2:22: it is listed here first"
        ),
        ("interfaces: [{}]", "2:14: \"name\" is missing: expected a text in quotes"),
        ("interfaces: ['eth0']", "2:14: expected an object, found \"eth0\""),
        ("interfaces: 'eth0'", "2:13: expected an array of objects, found \"eth0\""),
        ("control: {}", "2:10: \"socket\" is missing: expected a text in quotes"),
        (
            "control: { socket: 'a.sock' }",
            "2:20: expected an absolute path, such as \"/run/apus/control.sock\", found \"a.sock\""
        ),
        (
            "control: { socket: '/\(String(repeating: "a", count: 107))' }",
            "2:20: the path of a socket may have 107 bytes, and this one has 108"
        ),
        (
            "control: { socket: '/a', mode: '0999' }",
            "2:32: expected octal permissions in quotes, such as \"0660\", found \"0999\""
        ),
        (
            "control: { socket: '/a', mode: 432 }",
            "2:32: expected octal permissions in quotes, such as \"0660\", found 432"
        ),
        ("control: { socket: '/a', group: '' }", "2:33: expected the name of a group, found \"\""),
        (
            "metrics: { listen: '127.0.0.1:0' }",
            "2:20: port 0 cannot be listened on; take one from 1 to 65535"
        ),
        ("metrics: { listen: '239.0.0.1:80' }", "2:20: 239.0.0.1 is no address that a server can listen on"),
        (
            "metrics: { listen: '[fe80::1]:80' }",
            "2:20: fe80::1 is an address on each link, and a server can't be told which; take another"
        ),
        ("workers: { count: 0 }", "2:19: expected a number of workers from 1 to 256, found 0"),
        ("workers: { cpus: [] }", "2:18: no core is named; leave \"cpus\" out to use any"),
        (
            "workers: { cpus: [1, 2, 1] }",
            "2:25: core 1 is named twice; each worker needs a core of its own|2:19: it is named here first"
        ),
        ("workers: { cpus: [1024] }", "2:19: expected the number of a core from 0 to 1023, found 1024"),
        ("workers: { cpus: ['1'] }", "2:19: expected a whole number, found \"1\""),
        (
            "workers: { count: 3, cpus: [1] }",
            "2:19: 3 workers and 1 core: name a core for each worker, or leave one of the two out|2:28: the cores are named here"
        ),
        ("workers: { spin: -1 }", "2:18: expected microseconds from 0 to 1000000, found -1"),
        ("workers: { sleep: 2e6 }", "2:19: expected microseconds from 0 to 1000000, found 2000000"),
        (
            "limits: { streams: 0 }",
            "2:20: expected a number of streams from 1 to 1000000, found 0"
        ),
        (
            "limits: { destinations: 2000 }",
            "2:25: expected a number of destinations from 1 to 1024, found 2000"
        ),
        ("limits: { pendingPackets: -5 }", "2:27: expected a number of packets from 0 to 65536, found -5"),
        (
            "defaults: { ringSize: 256, frames: 600 },\nlimits: { pendingPackets: 89 }",
            "3:27: expected at most 88 packets to be held back, as the pool of a queue has 600 frames and 2 × 256 of "
                + "them are the rings', found 89; write fewer for pendingPackets, or 601 for frames|2:36: the frames are set here"
        ),
        (
            "interfaces: [{ name: 'a' }, { name: 'b', ringSize: 64 }],\nlimits: { pendingPackets: 385 }",
            "3:27: expected at most 384 packets to be held back, as the pool of a queue has 512 frames and 2 × 64 of "
                + "them are the rings', found 385; write fewer for pendingPackets, or 513 for frames|2:29: the frames are set here"
        ),
        (
            "interfaces: [{ name: 'b', ringSize: 64, frames: 300 }]",
            "2:49: expected at most 172 packets to be held back, as the pool of a queue has 300 frames and 2 × 64 of "
                + "them are the rings', found 256; write fewer for pendingPackets, or 384 for frames"
        ),
        ("stream: []", "2:1: unknown key \"stream\"; did you mean \"streams\"?"),
        (
            "hugepages: 'auto'",
            "2:1: unknown key \"hugepages\"; known here: defaults, interfaces, dpdk, streams, control, metrics, workers, limits"
        ),
    ])
    func `the other sections are checked`(section: String, messages: String) {
        Rule.expect(Rule.with(section), messages.split(separator: "|").map(String.init))
    }

    @Test func `the greatest that each backend has is taken`() throws {
        for settings in [
            "backend: 'xdp', ringSize: 65536, frames: 1048576", "backend: 'packet', ringSize: 32768",
            "ringSize: 32768, frames: 65792",
        ] {
            _ = try forwarder(Rule.with("interfaces: [{ name: 'eth0', \(settings) }]"))
        }
    }

    @Test func `more endpoints than AF_XDP can be told are refused where it may be used`() throws {
        let streams = (0..<65_537).map { (number: UInt32) in
            StreamConfiguration(
                listen: Endpoint(
                    .v4(IPv4Address(bits: 0xc000_0200 | number >> 15)), port: UInt16(1 + number % 32_768)),
                to: [Endpoint("198.51.100.7:1")!], map: SourceMap(.option("stream \(number)")))
        }
        func validate(_ backend: BackendChoice) throws {
            try ForwarderConfiguration(
                streams: streams, defaults: PortConfiguration(backend: backend),
                limits: LimitConfiguration(streams: 100_000)
            ).validate()
        }
        #expect { try validate(.auto) } throws: {
            "\($0)"
                == "stream 65536: streams listen at more than 65536 addresses and ports, which is what AF_XDP "
                + "can be told; write backend: \"packet\", or listen at any address"
        }
        try validate(.packet)
    }

    @Test func `the limits hold`() {
        Rule.expect(
            "{ limits: { streams: 1 }, streams: [\n{ listen: '192.0.2.1:1', to: ['198.51.100.7:1'] },\n"
                + "{ listen: '192.0.2.1:2', to: ['198.51.100.7:1'] }] }",
            ["3:1: there are 2 streams, and \"limits.streams\" permits 1"])
        Rule.expect(
            "{ limits: { destinations: 1 }, streams: [\n"
                + "{ listen: '192.0.2.1:1', to: ['198.51.100.7:1', '198.51.100.7:2'] }] }",
            ["2:49: the stream has 2 destinations, and \"limits.destinations\" permits 1"])
    }

    @Test(arguments: [
        (
            "{}",
            #"1:1: "streams" is missing: expected what to forward, such as streams: [{ listen: "192.0.2.1:5004", to: ["198.51.100.7:5004"] }]"#
        ),
        (
            "{ streams: [] }",
            #"1:12: there is no stream; add one, such as { listen: "192.0.2.1:5004", to: ["198.51.100.7:5004"] }"#
        ),
        ("[]", "1:1: expected an object: { streams: […] }, found an empty array"),
    ])
    func `a configuration without streams is refused`(text: String, message: String) {
        Rule.expect(text, [message])
    }

    @Test func `all errors are told at once, in the order of the text`() {
        Rule.expect(
            """
            {
              streams: [
                { name: "a", listen: "192.0.2.1:0", to: ["198.51.100.7:5004"], tll: 5 },
                { name: "a", listen: "192.0.2.1:1", to: [7, "198.51.100.7:1"], name: "b" },
              ],
              metrics: { listen: 9469 },
              stats: true,
            }
            """,
            [
                "3:26: port 0 cannot be listened on; take one from 1 to 65535",
                "3:68: unknown key \"tll\"; did you mean \"ttl\"?",
                "4:13: two streams are called \"a\"; each needs a name of its own",
                "3:13: the first \"a\" is here",
                "4:46: expected \"address:port\", such as \"192.0.2.1:5004\", found 7",
                "4:68: \"name\" is there twice",
                "4:7: the first \"name\" is here",
                "6:22: expected \"address:port\", such as \"127.0.0.1:9469\", found 9469; did you mean \"127.0.0.1:9469\"?",
                "7:3: unknown key \"stats\"; known here: defaults, interfaces, dpdk, streams, control, metrics, workers, limits",
            ])
    }

    @Test func `a configuration from options is refused by the option's name`() {
        var map = SourceMap()
        map["listen"] = .option("--listen")
        map.setElements(of: "to", [.option("--to")])
        let configuration = ForwarderConfiguration(streams: [
            StreamConfiguration(
                listen: Endpoint("192.0.2.1:5004")!, to: [Endpoint("192.0.2.1:5004")!], map: map)
        ])
        #expect { try configuration.validate() } throws: {
            "\($0)" == """
                --to: stream "192.0.2.1:5004" sends to 192.0.2.1:5004, where it listens itself: its packets would come back for ever
                --listen: it listens here
                """
        }
        #expect { try ForwarderConfiguration(streams: []).validate() } throws: {
            "\($0)" == "there is no stream to forward"
        }
    }
}
