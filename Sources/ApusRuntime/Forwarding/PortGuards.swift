import ApusConfig
import ApusHost
import ApusRings
import ApusWire

/// The sockets that hold the listening ports, so that the kernel answers nobody there that a port is
/// unreachable, and no other program takes it.
struct PortGuards {
    /// A guard in a box, so that a dictionary can hold it.
    private final class Box {
        let held: PortGuard
        init(_ held: consuming PortGuard) { self.held = held }
    }

    private struct Key: Hashable {
        let endpoint: Endpoint
        let interface: Int32
    }

    private var boxes: [Key: Box] = [:]

    /// Holds the ports of a configuration, and lets go of others.
    ///
    /// Throws when a port is in use, with the place in the configuration; what was held before then
    /// stays held.
    mutating func update(
        to configuration: ForwarderConfiguration, host: HostView
    ) throws(ConfigurationErrors) {
        _ = DescriptorLimit.raise()
        let report = ConfigurationReport(on: configuration.source)
        var new: [Key: Box] = [:]
        for stream in configuration.streams {
            let interface = stream.interface.flatMap { try? host.link(named: $0).index } ?? 0
            let key = Key(endpoint: stream.listen, interface: interface)
            if let box = boxes[key] {
                new[key] = box
                continue
            }
            do throws(HostError) {
                new[key] = Box(try PortGuard(stream.listen, interface: interface))
            } catch {
                report.add("\(error)", at: stream.map["listen"])
            }
        }
        try report.check()
        boxes = new
    }
}
