import Foundation
import NetworkLab
import Testing

/// What the tools that send and receive are watched with.
extension Pair {
    /// Starts tcpdump in b and waits until it listens.
    func tcpdump(_ file: ScratchFile, _ filter: String...) throws -> Running {
        let running = try b.start(
            [
                "tcpdump", "-i", "vb", "-nn", "-U", "--immediate-mode", "-B", "32768", "-Q", "in", "-w",
                file.path,
            ] + filter)
        try running.waitForLine(containing: "listening on", timeout: .seconds(30))
        return running
    }

    /// Ends tcpdump when it has written all that it got: a signal would have it forget what it did not.
    func finish(_ capture: Running, _ file: ScratchFile) throws {
        var sizes: [Int] = []
        while sizes.count < 200, sizes.count < 4 || Set(sizes.suffix(4)).count > 1 {
            sizes.append(try Data(contentsOf: file.url).count)
            usleep(200_000)
        }
        capture.stop(SIGINT)
        #expect(capture.errors.contains("\n0 packets dropped by kernel"), "\(capture.errors)")
    }
}

/// Starts a process without any capability, as an unprivileged user has them. `apus` may be where only root
/// can read it, so that it stays root by its number.
let unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]

/// A JSON object as its keys.
func object(_ text: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
}

/// The fields that tshark reads from a capture, a row for each packet; checksums are verified.
func fields(of file: ScratchFile, _ names: String...) throws -> [[String]] {
    var command = ["tshark", "-r", file.path, "-n", "-d", "udp.port==5004,rtp", "-T", "fields"]
    command += ["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    for name in names { command += ["-e", name] }
    return try NetworkLab.run(command, timeout: .seconds(120)).standardOutput
        .split(separator: "\n", omittingEmptySubsequences: true)
        .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
}
