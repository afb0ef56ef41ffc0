import Apus
import Glibc

// echo INTERFACE          answers the datagrams that come to UDP port 7 of an interface
// echo IN.pcap OUT.pcap   answers those in a capture file
do {
    switch CommandLine.arguments.dropFirst() {
    case let names where names.count == 1:
        var port = try openPort(names[1], udp: [7])
        print(port.grant)
        fflush(nil)  // into a pipe too
        echo(over: &port, service: 7) { _ in false }
    case let files where files.count == 2:
        var port = Port(try CaptureDriver(reading: files[1], writing: files[2]))
        echo(over: &port, service: 7) { $0.isFinished }
        let answers = port.statistics().sent
        try port.intoDriver().finish()
        print(answers, "answered")
    default:
        print("usage: echo INTERFACE | echo IN.pcap OUT.pcap")
    }
} catch {
    let sentence = "echo: \(error)\n"
    unsafe write(STDERR_FILENO, sentence, sentence.utf8.count)
    exit(1)
}
