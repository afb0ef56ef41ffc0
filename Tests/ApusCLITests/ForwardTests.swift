import Apus
import Glibc
import Testing

@testable import ApusCLI

@Suite struct ForwardTests {
    private func configuration(_ words: [String]) throws -> ForwarderConfiguration {
        var path: [String] = []
        guard
            case .run(let command, let values, let arguments) = try ArgumentParser.parse(
                words, root: .apus, path: &path)
        else { throw ExitFailure(.usage, "help was asked for") }
        return try Forward.configurationFromOptions(
            Invocation(
                path: path.joined(separator: " "), command: command, root: .apus,
                output: Output(descriptor: STDOUT_FILENO),
                errorOutput: Output(descriptor: STDERR_FILENO), values: values, arguments: arguments))
    }

    private let least = ["forward", "--listen", "192.0.2.1:5004", "--to", "198.51.100.7:5004"]

    @Test func `options say what a file says`() throws {
        let line =
            "-l 192.0.2.1:5004 -t 198.51.100.7:5004 -t [2001:db8::7]:5004 -i eth0 -b xdp --mode native"
            + " --zero-copy require --hugepages never --queues 2 --ring-size 1024 --frame-size 4096 --frames 8192"
            + " --busy-poll 30 --busy-poll-budget 16 --ttl 9 --no-rtp -w 2 --cpu 0 --cpu 1 --spin 5 --sleep 0"
            + " --metrics 127.0.0.1:9000 --control /run/a.sock"
        let file = ConfigurationSource(
            name: "x",
            text: """
                {
                  defaults: {
                    backend: "xdp", mode: "native", zeroCopy: "require", hugepages: "never", queues: 2,
                    ringSize: 1024, frameSize: 4096, frames: 8192, busyPoll: { microseconds: 30, budget: 16 },
                  },
                  streams: [{
                    listen: "192.0.2.1:5004", to: ["198.51.100.7:5004", "[2001:db8::7]:5004"], interface: "eth0",
                    ttl: 9, rtp: false,
                  }],
                  workers: { count: 2, cpus: [0, 1], spin: 5, sleep: 0 },
                  metrics: { listen: "127.0.0.1:9000" },
                  control: { socket: "/run/a.sock" },
                }
                """)
        let words = ["forward"] + line.split(separator: " ").map(String.init)
        #expect(try configuration(words) == ForwarderConfiguration(parsing: file))
    }

    @Test(arguments: [[], ["--interface", "eth0"]])
    func `the options of a port are those of each interface, whichever is listened on`(more: [String]) throws
    {
        let read = try configuration(least + ["--backend", "packet"] + more)
        #expect(read.interfaces.isEmpty && read.port(on: "eth7").backend == .packet)
        #expect(read.streams[0].interface == more.last)
    }

    @Test func `no option is without effect`() throws {
        let apart: Set = ["config", "check", "stats", "json", "listen", "to", "address", "gateway"]
        let plain = try configuration(least)
        let values = [
            "ttl": "9", "interface": "eth0", "backend": "xdp", "mode": "native", "zero-copy": "never",
            "hugepages": "never",
            "queues": "1", "ring-size": "512", "frame-size": "4096", "frames": "9000", "busy-poll": "10",
            "workers": "3",
            "cpu": "3", "spin": "1", "sleep": "1", "metrics": "127.0.0.1:1", "control": "/a",
        ]
        for option in Forward.command.options
        where !apart.contains(option.long) && option.long != "busy-poll-budget" {
            var words = least + [option.name]
            if option.value != nil { words.append(try #require(values[option.long], "\(option.name)")) }
            #expect(try configuration(words) != plain, "\(option.name)")
        }
        let device =
            least + ["--interface", "03:00.0", "--address", "192.0.2.1/24", "--address", "2001:db8::1/64"]
        let ports = try [[], ["--gateway", "192.0.2.9", "--gateway", "fe80::1", "--ring-size", "512"]].map {
            try configuration(device + $0).interfaces.first
        }
        #expect(ports[0]?.name == "0000:03:00.0" && ports[0]?.port.backend == .dpdk)
        #expect(ports[0]?.port.dpdk?.addresses.map(\.description) == ["192.0.2.1/24", "2001:db8::1/64"])
        #expect(ports[1]?.port.dpdk?.gateways.map(\.description) == ["192.0.2.9", "fe80::1"])
        let pages = try [[], ["--hugepages", "never"], ["--hugepages", "require"]].map {
            try configuration(device + $0).dpdk.hugepages
        }
        #expect(pages == [true, false, true])
        #expect(ports[0]?.port.ringSize == 2048 && ports[1]?.port.ringSize == 512)
        #expect(
            try configuration(least + ["--busy-poll", "1", "--busy-poll-budget", "7"]).defaults.busyPoll?
                .budget == 7)
    }

    /// The manual's keys against those that the reader names when it meets one that it does not know.
    @Test func `the manual describes each key of a file, and no other`() throws {
        let places = [
            "streams: [{ }]": "{ streams: [{ ? }] }", "interfaces: [{ }]": "{ interfaces: [{ ? }] }",
            "defaults: { }": "{ defaults: { ? } }", "busyPoll: { }": "{ defaults: { busyPoll: { ? } } }",
            "control: { }": "{ control: { ? } }", "metrics: { }": "{ metrics: { ? } }",
            "workers: { }": "{ workers: { ? } }",
            "limits: { }": "{ limits: { ? } }", "dpdk: { }": "{ dpdk: { ? } }",
            "routes: [{ }]": "{ interfaces: [{ name: 'net_null0', routes: [{ ? }] }] }",
        ]
        #expect(ConfigurationReference.all.count == places.count)
        for section in ConfigurationReference.all {
            let text = try #require(places[section.section]).replacing("?", with: "zzzzzzzzzzzz: 1")
            #expect(section.keys.map(\.name).sorted() == (try known(text)).sorted(), "\(section.section)")
        }
        let sections = Set(try known("{ zzzzzzzzzzzz: 1 }"))
        #expect(
            sections
                == Set(ConfigurationReference.all.map { String($0.section.prefix { $0 != ":" }) })
                .subtracting(["busyPoll", "routes"]))
    }

    @Test func `the manual's example is a right configuration`() throws {
        let source = ConfigurationSource(name: "example", text: ConfigurationReference.example)
        #expect(try ForwarderConfiguration(parsing: source).streams[0].to.count == 2)
    }

    private func known(_ text: String) throws -> [String] {
        do {
            _ = try ForwarderConfiguration(parsing: ConfigurationSource(name: "x", text: text))
        } catch {
            let match = try #require(
                "\(error)".firstMatch(of: /unknown key "zzzzzzzzzzzz"; known here: (.*)/))
            return match.1.split(separator: ", ").map(String.init)
        }
        return []
    }
}
