import ApusConfig
import ApusWire
import Glibc
import Testing

/// A configuration that uses each key there is.
let completeConfiguration = """
    // Two cameras, one of them to a group.
    {
      defaults: { backend: "auto", ringSize: 1024 },
      interfaces: [
        {
          name: "eth0", backend: 'xdp', mode: "native", zeroCopy: "require", hugepages: "never",
          queues: 2, ringSize: 0x1000, frameSize: 4096, frames: 32768, busyPoll: { microseconds: 50, budget: 32 },
        },
        { name: "eth1" },
      ],
      streams: [
        { name: "camera", listen: "192.0.2.1:5004", to: ["198.51.100.7:5004", "[2001:db8::7]:5004"] },
        { listen: "[::]:6000", to: ["239.1.2.3:6000"], interface: "eth1", ttl: 16, rtp: false },
      ],
      control: { socket: "/run/apus/control.sock", mode: "0660", group: "video" },
      metrics: { listen: "[::1]:9469" },
      workers: { count: 2, cpus: [2, 3], spin: 100, sleep: 0 },
      limits: { streams: 100, destinations: 8, pendingPackets: 64, },
    }
    """

func forwarder(_ text: String) throws(ConfigurationErrors) -> ForwarderConfiguration {
    try ForwarderConfiguration(parsing: ConfigurationSource(name: "x.json5", text: text))
}

/// What a user of the forwarder is told about the file `x.json5`.
func complaint(aboutForwarder text: String) -> String {
    do {
        return "read: \(try forwarder(text))"
    } catch {
        return "\(error)"
    }
}

@Suite struct ForwarderConfigurationTests {
    @Test func `each key is read`() throws {
        let read = try forwarder(completeConfiguration)
        let built = ForwarderConfiguration(
            streams: [
                StreamConfiguration(
                    name: "camera", listen: Endpoint("192.0.2.1:5004")!,
                    to: [Endpoint("198.51.100.7:5004")!, Endpoint("[2001:db8::7]:5004")!]),
                StreamConfiguration(
                    name: "[::]:6000", listen: Endpoint("[::]:6000")!, to: [Endpoint("239.1.2.3:6000")!],
                    interface: "eth1", ttl: 16, rtp: false),
            ],
            interfaces: [
                InterfaceConfiguration(
                    name: "eth0",
                    port: PortConfiguration(
                        backend: .xdp, mode: .native, zeroCopy: .require, hugepages: .never, queues: 2,
                        ringSize: 4096, frameSize: 4096, frames: 32768,
                        busyPoll: BusyPollConfiguration(microseconds: 50, budget: 32))),
                InterfaceConfiguration(name: "eth1", port: PortConfiguration(ringSize: 1024)),
            ],
            defaults: PortConfiguration(ringSize: 1024),
            control: ControlConfiguration(
                socket: "/run/apus/control.sock", mode: FileMode(bits: 0o660), group: "video"),
            metrics: MetricsConfiguration(listen: Endpoint("[::1]:9469")!),
            workers: WorkerConfiguration(count: 2, cpus: [2, 3], spin: 100, sleep: 0),
            limits: LimitConfiguration(streams: 100, destinations: 8, pendingPackets: 64))
        #expect(read == built)
    }

    @Test func `what is left out has its default`() throws {
        let read = try forwarder("{ streams: [{ listen: '192.0.2.1:5004', to: ['198.51.100.7:5004'] }] }")
        #expect(
            read
                == ForwarderConfiguration(streams: [
                    StreamConfiguration(
                        listen: Endpoint("192.0.2.1:5004")!, to: [Endpoint("198.51.100.7:5004")!])
                ]))
        #expect(read.streams[0].name == "192.0.2.1:5004")
        #expect(read.control == nil && read.metrics == nil)
        #expect(
            try forwarder(
                "{ streams: [{ listen: '192.0.2.1:5004', to: ['198.51.100.7:5004'] }], metrics: {} }"
            )
            .metrics?.listen == Endpoint("127.0.0.1:9469"))
    }

    @Test func `a stream that only moved is equal, and one that changed is not`() throws {
        let text = "{ streams: [{ listen: '192.0.2.1:5004', to: ['198.51.100.7:5004'] }] }"
        #expect(try forwarder(text) == forwarder("// moved\n\n" + text))
        #expect(try forwarder(text) != forwarder(text.replacing("100.7", with: "100.8")))
    }

    @Test func `an interface that is not listed has the defaults`() throws {
        let read = try forwarder(completeConfiguration)
        #expect(read.port(on: "eth0").ringSize == 4096)
        #expect(read.port(on: "eth1").ringSize == 1024)
        #expect(read.port(on: "eth9").ringSize == 1024)
    }

    @Test func `later checks can point at a place`() throws {
        let read = try forwarder(completeConfiguration)
        let stream = read.streams[1]
        let error = read.error(
            "interface \"eth1\" does not exist; there are: lo", at: stream.map["interface"])
        #expect((error.line, error.column) == (13, 63))
        #expect(
            "\(error)" == """
                x.json5:13:63: interface "eth1" does not exist; there are: lo
                  13 |     { listen: "[::]:6000", to: ["239.1.2.3:6000"], interface: "eth1", ttl: 16, rtp: false },
                     |                                                               ^
                """)
        #expect(read.streams[0].map["to", 1].position == SourcePosition(line: 12, column: 75))
        #expect(read.streams[0].map["ttl"].position == SourcePosition(line: 12, column: 5))
    }

    @Test func `a pipe is read to its end, but is not waited for without a limit, and a device is refused`()
        throws
    {
        var template = Array("/tmp/apus-config-XXXXXX".utf8CString)
        let folder = unsafe template.withUnsafeMutableBufferPointer {
            unsafe String(cString: mkdtemp($0.baseAddress!))
        }
        let path = folder + "/pipe"
        defer {
            unsafe unlink(path)
            unsafe rmdir(folder)
        }
        unsafe mkfifo(path, 0o600)
        let start = ContinuousClock.now
        #expect {
            try ForwarderConfiguration(file: path)
        } throws: {
            "\($0)".hasSuffix("it is a pipe, and its end did not come within 5 seconds")
        }
        #expect(ContinuousClock.now - start < .seconds(8))

        // As of <(…): the writer has come, and may be gone again.
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
        let text = Array(
            #"{ streams: [{ name: "a", listen: "192.0.2.1:5004", to: ["192.0.2.2:5004"] }] }"#.utf8)
        #expect(unsafe write(ends[1], text, text.count) == text.count)
        close(ends[1])
        #expect(try ForwarderConfiguration(file: "/dev/fd/\(ends[0])").streams.count == 1)
        close(ends[0])

        for device in ["/dev/zero", "/dev/null"] {
            #expect {
                try ForwarderConfiguration(file: device)
            } throws: {
                "\($0)".hasSuffix("it is a device; name a file, a pipe, or - for standard input")
            }
        }
    }

    @Test func `a file is read by its name`() throws {
        #expect {
            try ForwarderConfiguration(file: "/nonexistent/forward.json5")
        } throws: {
            "\($0)"
                == "cannot read the configuration \"/nonexistent/forward.json5\": No such file or directory"
        }
        #expect { try ForwarderConfiguration(file: "/") } throws: {
            "\($0)" == "cannot read the configuration \"/\": it is a folder; name the file in it"
        }
        let long = "/tmp/apus-config-\(getpid()).json5"
        defer { unsafe unlink(long) }
        close(unsafe open(long, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600))
        unsafe truncate(long, 1 << 30)
        #expect { try ForwarderConfiguration(file: long) } throws: {
            "\($0)".hasPrefix(
                "\(long):1:1: the file is too long: it may have 16777216 bytes, and has 16777217")
        }
    }
}
