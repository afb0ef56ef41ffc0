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
    /// Throws when a port is in use or may not be taken, with the place in the configuration; what was held
    /// before then stays held.
    mutating func update(
        to configuration: ForwarderConfiguration, host: HostView
    ) throws(ForwarderError) {
        _ = DescriptorLimit.raise()
        let report = ConfigurationReport(on: configuration.source)
        var new: [Key: Box] = [:]
        var kind = ForwarderError.unavailable
        // Of a device that the kernel does not have it answers nobody.
        for stream in configuration.streams where configuration.dpdkInterface(listening: stream) == nil {
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
                switch error {
                case .missingCapabilities: kind = ForwarderError.notPermitted
                case .addressNotOnHost: kind = ForwarderError.configuration
                default: break
                }
            }
        }
        do throws(ConfigurationErrors) { try report.check() } catch { throw kind(error) }
        boxes = new
    }

    /// Holds the ports anew on interfaces that were deleted and made again under their names, since the groups that
    /// were joined there went with them.
    ///
    /// - Returns: why one of them could not be had; the others are held, and this one when it is asked for again.
    mutating func follow(_ configuration: ForwarderConfiguration, on host: HostView) -> HostError? {
        var held: Set<Endpoint> = []
        var gone: [Endpoint: Key] = [:]
        for key in boxes.keys {
            if key.interface == 0 || host.links[key.interface] != nil {
                held.insert(key.endpoint)
            } else {
                gone[key.endpoint] = key
            }
        }
        var failure: HostError?
        for stream in configuration.streams {
            guard let name = stream.interface, let link = try? host.link(named: name) else { continue }
            let key = Key(endpoint: stream.listen, interface: link.index)
            // An interface that is only called otherwise now keeps what it has.
            guard boxes[key] == nil, gone[stream.listen] != nil || !held.contains(stream.listen) else {
                continue
            }
            // First, as both can't have the port.
            if let old = gone.removeValue(forKey: stream.listen) { boxes[old] = nil }
            do throws(HostError) {
                boxes[key] = Box(try PortGuard(stream.listen, interface: link.index))
            } catch {
                failure = error
            }
        }
        return failure
    }
}
