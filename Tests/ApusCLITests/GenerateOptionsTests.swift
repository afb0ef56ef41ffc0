import Apus
import Glibc
import Testing

@testable import ApusCLI

/// Parses a command line of `apus` down to what its command gets.
func invocation(_ line: String) throws -> Invocation {
    var path: [String] = []
    let words = line.split(separator: " ").map(String.init)
    guard
        case .run(let command, let values, let arguments) = try ArgumentParser.parse(
            words, root: .apus, path: &path)
    else { throw ExitFailure(.usage, "help was asked for") }
    return Invocation(
        path: path.joined(separator: " "), command: command, root: .apus,
        output: ApusCLI.Output(descriptor: STDOUT_FILENO),
        errorOutput: ApusCLI.Output(descriptor: STDERR_FILENO),
        values: values, arguments: arguments)
}

@Suite struct GenerateOptionsTests {
    private func options(_ line: String) throws -> GenerateOptions {
        try Generate.options(invocation("generate eth7 " + line))
    }

    @Test func `without options it is RTP at 1000 a second for ten seconds`() throws {
        let read = try options("--to 192.0.2.7:5004")
        #expect(read.interface == "eth7" && read.backend == .auto)
        #expect(read.destination == Endpoint("192.0.2.7:5004") && read.source == Endpoint("0.0.0.0:49152"))
        guard case .rtp(96, _, 90_000) = read.traffic.content else {
            Issue.record("\(read.traffic.content)")
            return
        }
        #expect(read.traffic.payloadSize == 172 && read.traffic.flows == 1 && read.traffic.rate == 1000)
        #expect(read.traffic.count == nil && read.traffic.duration == 10_000_000_000)
    }

    @Test func `each option has its effect`() throws {
        let line =
            "-t [2001:db8::7]:9 -f [2001:db8::1]:100 --udp --size 0 --flows 3 -r max -n 5 -d 0.25 -b packet"
        let read = try options(line)
        #expect(read.destination == Endpoint("[2001:db8::7]:9"))
        #expect(read.source == Endpoint("[2001:db8::1]:100"))
        #expect(read.backend == .packet)
        #expect(read.traffic.content == .udp && read.traffic.payloadSize == 0 && read.traffic.flows == 3)
        #expect(read.traffic.rate == nil && read.traffic.count == 5 && read.traffic.duration == 250_000_000)
        #expect(try options("-t 192.0.2.7:9 -n 5").traffic.duration == nil)
        let rtp = try options("-t 192.0.2.7:9 --payload-type 0 --ssrc 0xdeadbeef --rate 50").traffic
        #expect(rtp.content == .rtp(payloadType: 0, ssrc: 0xdead_beef, clockRate: 8000) && rtp.rate == 50)
        let decimal = try options("-t 192.0.2.7:9 --payload-type 127 --ssrc 7").traffic.content
        #expect(decimal == .rtp(payloadType: 127, ssrc: 7, clockRate: 90_000))
    }

    @Test(arguments: [
        ("", "apus generate: --to is missing: say where the packets go\n"),
        ("--to 192.0.2.7", "apus generate: --to: expected \"address:port\", such as \"192.0.2.1:5004\""),
        (
            "--to 192.0.2.7:0",
            "apus generate: --to: nothing can be sent to 192.0.2.7:0; name an address and a port\n"
        ),
        (
            "--to 192.0.2.7:1 --from '[::1]:1'",
            "apus generate: --from: [::1]:1 and 192.0.2.7:1 are of different IP versions; both must be of one\n"
        ),
        (
            "--to 192.0.2.7:1 --size 11",
            "apus generate: --size: an RTP header takes 12 bytes, found 11; --udp sends shorter ones\n"
        ),
        (
            "--to 192.0.2.7:1 --size 70000",
            "apus generate: --size: expected a number from 0 to 65527, found 70000\n"
        ),
        (
            "--to 192.0.2.7:1 --udp --ssrc 1",
            "apus generate: --ssrc is RTP's, and cannot stand beside --udp\n"
        ),
        (
            "--to 192.0.2.7:1 --ssrc 4294967296",
            "apus generate: --ssrc: expected a number from 0 to 4294967295, found \"4294967296\"\n"
        ),
        (
            "--to 192.0.2.7:1 --payload-type 128",
            "apus generate: --payload-type: expected a number from 0 to 127, found 128\n"
        ),
        (
            "--to 192.0.2.7:1 --from 0.0.0.0:65535 --flows 2",
            "apus generate: --flows: 2 flows need as many source ports, and there are only 1 from 65535 on; "
                + "begin lower with --from\n"
        ),
        (
            "--to 192.0.2.7:1 --rate fast",
            "apus generate: --rate: expected packets a second from 1 to 1000000000, or max, found \"fast\"\n"
        ),
        (
            "--to 192.0.2.7:1 --rate 0",
            "apus generate: --rate: expected packets a second from 1 to 1000000000, or max, found \"0\"\n"
        ),
        ("--to 192.0.2.7:1 --count 0", "apus generate: --count: expected a number 1 or more, found 0\n"),
        (
            "--to 192.0.2.7:1 --duration 0",
            "apus generate: --duration: expected a time in seconds, such as 10 or 0.5, found \"0\"\n"
        ),
        (
            "--to 192.0.2.7:1 --duration nan",
            "apus generate: --duration: expected a time in seconds, such as 10 or 0.5, found \"nan\"\n"
        ),
    ])
    func `wrong usage ends with 64 and one clear sentence`(line: String, complaint: String) throws {
        let run = try shell("apus generate nosuchif0 \(line)")
        #expect(run.code == 64 && run.output == "")
        #expect(run.errors.hasPrefix(complaint), "\(run.errors)")
    }

    @Test func `an interface that is not there ends with 66 and names those that are`() throws {
        let run = try apus("generate", "nosuchif0", "--to", "192.0.2.7:5004")
        #expect(run.code == 66 && run.output == "")
        #expect(run.errors.hasPrefix("apus generate: interface \"nosuchif0\" does not exist; there are: "))
        #expect(run.errors.contains("lo"))
    }
}
