import Foundation
import NetworkLab

/// Frames made and sent by scapy, which has no idea of what Apus accepts.
enum Scapy {
    /// Sends frames by the sender's interface.
    ///
    /// - Parameter script: Python that appends frames to the list `frames`. It has all of scapy, `ether`
    ///   (the header to the relay), and `rtp` (a payload).
    /// - Returns: the lines that the script prints.
    @discardableResult
    static func send(_ scene: Scene, _ script: String) throws -> [String] {
        func mac(_ space: Namespace, _ interface: String) throws -> String {
            try space.run("cat", "/sys/class/net/\(interface)/address").standardOutput
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let program = """
            import random
            from scapy.all import *
            conf.verb = 0
            random.seed(1)
            ether = Ether(dst="\(try mac(scene.relay, "in0"))", src="\(try mac(scene.sender, "e0"))")
            rtp = bytes([0x80, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4]) + bytes(range(100))
            frames = []
            \(script)
            out = conf.L2socket(iface="e0")
            for frame in frames:
                out.send(Raw(bytes(frame)))
            """
        let output = try scene.sender.run(["/usr/bin/python3", "-c", program], timeout: .seconds(60))
        return output.standardOutput.split(separator: "\n").map(String.init)
    }
}
