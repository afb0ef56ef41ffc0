import Apus
import CTraffic
import Foundation

/// A running relay of the flows, on the stage's core for it. It ends with its last reference.
struct Relay {
    let name: String
    /// What moves its packets: `AF_XDP native, copy`, `sockets`.
    let backend: String
    /// Where it listens, by flow.
    let ports: [UInt16]
    private let child: Child

    /// How Apus' ports are opened.
    enum Backend: String {
        case native, generic, packet
        /// DPDK's net_af_xdp, on the same interface.
        case dpdk

        /// The interfaces, as the configuration has them, and what belongs to them.
        var settings: String {
            let interfaces = [("in0", Flows.relayIn), ("out0", Flows.relayOut)].enumerated()
            let list = interfaces.map { number, interface in
                let (name, address) = interface
                let port =
                    switch self {
                    case .native, .generic: #"name: "\#(name)", backend: "xdp", mode: "\#(rawValue)""#
                    case .packet: #"name: "\#(name)", backend: "packet""#
                    case .dpdk:
                        // By default it would poll the interface from within each system call, as the others do not.
                        #"name: "net_af_xdp\#(number),iface=\#(name),force_copy=1,busy_budget=0", "#
                            + #"backend: "dpdk", addresses: ["\#(address)/24"]"#
                    }
                return "{ \(port), ringSize: 8192 }"
            }
            return "interfaces: [\(list.joined(separator: ", "))],"
                + (self == .dpdk ? " dpdk: { hugepages: false, memory: 512 }," : "")
        }
    }

    private struct Answer: Decodable {
        var status: ForwarderStatus
    }

    /// `apus forward` with one worker, and rings that hold some milliseconds at the rates that are looked for; else as
    /// it is by default.
    static func apus(_ backend: Backend, on stage: Stage) throws -> Relay {
        let ports = (0..<Flows.count).map { 5000 + 2 * UInt16($0) }
        try stage.setKernelAddresses(backend != .dpdk)
        let streams = ports.enumerated().map { flow, port in
            "{ name: \"flow \(flow)\", listen: \"\(Flows.relayIn):\(port)\", "
                + "to: [\"\(Flows.screen):\(Flows.screenPort(flow))\"] },\n"
        }
        let configuration = """
            {
              streams: [\(streams.joined())],
              \(backend.settings)
              workers: { count: 1, cpus: [\(stage.relayCore)] },
              control: { socket: "/run/control.sock" },
            }
            """
        let (file, space) = ("/run/forward.json5", stage.relay.pid)
        try Child.run(["sh", "-c", "cat >\(file)"], in: space, input: configuration)
        let program = try program()
        let child = try Child([program, "forward", "--config", file], in: space, core: stage.relayCore)
        try child.wait(for: "\nready")
        let text = try Child.run([program, "control", "/run/control.sock", "status", "--json"], in: space)
        let status = try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).status
        return Relay(name: "Apus", backend: grant(status), ports: ports, child: child)
    }

    /// What all ports were granted, which is the same for both.
    private static func grant(_ status: ForwarderStatus) -> String {
        func granted(_ name: String, _ port: ForwarderStatus.Port) -> String? {
            port.features.first { $0.name == name }?.granted
        }
        let grants = status.ports.map { port in
            if port.backend == "dpdk" {
                return "DPDK, \(granted("driver", port) ?? "?"), \(granted("pages", port) ?? "?") pages"
            }
            guard port.backend == "xdp" else { return "AF_PACKET" }
            return "AF_XDP \(granted("XDP mode", port) ?? "?"), "
                + (granted("zero-copy", port) == "yes" ? "zero-copy" : "copy")
        }
        return Set(grants).sorted().joined(separator: "; ")
    }

    /// The `apus` that was built with this program.
    private static func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(filePath: own).deletingLastPathComponent().appending(path: "apus").path()
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw RelayError("there is no \(path); Benchmarks/run.sh builds it")
        }
        return path
    }

    /// rtpengine without its kernel module, with one thread for media as Apus has one worker, and a call for each flow.
    static func rtpengine(on stage: Stage) throws -> Relay {
        try stage.setKernelAddresses(true)
        let child = try Child(
            [
                "rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr",
                "--log-level=3", "--num-threads=1", "--endpoint-learning=off",
                "--interface=in/\(Flows.relayIn)", "--interface=out/\(Flows.relayOut)",
                "--listen-ng=127.0.0.1:2223", "--port-min=20000", "--port-max=20999", "--timeout=86400",
            ], in: stage.relay.pid, core: stage.relayCore)
        let client = try NGClient(in: stage.relay, port: 2223)
        try eventually("rtpengine answers", { child.text }) {
            guard child.isRunning else { throw RelayError("rtpengine ended: \(child.text)") }
            return client.isAnswering
        }
        let ports = try (0..<Flows.count).map { flow in
            try client.call(
                "flow-\(flow)", from: (Flows.camera, Flows.cameraPort(flow)),
                to: (Flows.screen, Flows.screenPort(flow)))
        }
        // Room for a pause of others' making, longer than Apus' rings have; rtpengine has no option for it.
        let widened = traffic_widen(child.pid, 4 << 20)
        guard widened >= Flows.count else { throw RelayError("rtpengine's sockets can't be given more room") }
        return Relay(name: "rtpengine", backend: "sockets", ports: ports, child: child)
    }

    /// What it has written so far.
    var text: String { child.text }

    /// Has it end, so that another one can have its place.
    func end() { child.end() }
}
