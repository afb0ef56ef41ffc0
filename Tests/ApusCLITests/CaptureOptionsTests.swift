import Apus
import Testing

@testable import ApusCLI

@Suite struct CaptureOptionsTests {
    private func options(_ line: String) throws -> CaptureOptions {
        try Capture.options(invocation("capture eth7 " + line))
    }

    @Test func `without options it taps everything until it is told to stop`() throws {
        let read = try options("--write a.pcap")
        #expect(
            read
                == CaptureOptions(
                    interface: "eth7", file: "a.pcap", format: .pcap, count: .max, duration: .max, ports: [],
                    snap: 262_144,
                    usesXDP: false))
    }

    @Test func `each option has its effect`() throws {
        let read = try options("-w a.pcapng -n 7 -d 1.5 -p 5004 -p 5006 -p 5004 --snap 96 -b xdp")
        #expect(
            read
                == CaptureOptions(
                    interface: "eth7", file: "a.pcapng", format: .pcapng, count: 7, duration: 1_500_000_000,
                    ports: [5004, 5006],
                    snap: 96, usesXDP: true))
        #expect(try !options("-w a.pcap -b auto").usesXDP)
        #expect(try options("-w a.pcap --direction both").way == .both)
        let piped = try options("-w -")
        #expect(piped.file == nil && piped.format == .pcapng)
        #expect(try options("-w - --format pcap").format == .pcap)
        #expect(try options("-w a.dump --format pcapng").format == .pcapng)
    }

    @Test(arguments: [
        ("", "apus capture: --write is missing: say which file the packets go to\n"),
        (
            "-w a.txt",
            "apus capture: --write: \"a.txt\" must end in .pcap or .pcapng, so that its format is known\n"
        ),
        ("-w a.pcap -p 0", "apus capture: --port: expected a number from 1 to 65535, found 0\n"),
        ("-w a.pcap -p 65536", "apus capture: --port: expected a number from 1 to 65535, found 65536\n"),
        ("-w a.pcap --snap 63", "apus capture: --snap: expected a number from 64 to 262144, found 63\n"),
        (
            "-w a.pcap -b xdp",
            "apus capture: --backend xdp takes packets away from this host, so it needs to know which: name UDP "
                + "ports with --port, or capture everything with --backend packet\n"
        ),
        (
            "-w a.pcap -p 5004 -b xdp --direction out",
            "apus capture: --backend xdp sees received packets alone; capture those sent with --backend packet\n"
        ),
        (
            "-w a.pcap --direction up",
            "apus capture: --direction: expected \"in\", \"out\" or \"both\", found \"up\"\n"
        ),
    ])
    func `wrong usage ends with 64 and one clear sentence`(line: String, complaint: String) throws {
        let run = try shell("apus capture nosuchif0 \(line)")
        #expect(run.code == 64 && run.output == "")
        #expect(run.errors == complaint)
    }

    @Test func `an interface that is not there ends with 66, and the file is left alone`() throws {
        let file = try ScratchFile("precious", suffix: "pcap")
        let run = try apus("capture", "nosuchif0", "--write", file.path)
        #expect(run.code == 66 && run.output == "")
        #expect(run.errors.hasPrefix("apus capture: interface \"nosuchif0\" does not exist; there are: "))
        #expect(try file.text == "precious")
    }
}
