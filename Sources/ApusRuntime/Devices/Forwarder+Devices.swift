import ApusHost
import Glibc

/// Interfaces that the kernel does not have.
extension Forwarder {
    /// The host's descriptor, and that of the devices if there are any.
    static func descriptors(
        _ host: HostView, _ interfaces: OpenInterfaces
    ) throws(ServiceError) -> DescriptorSet {
        let set = try DescriptorSet()
        try set.add(host.descriptor)
        if interfaces.event >= 0 { try set.add(interfaces.event) }
        return set
    }

    /// Has the hosts of the devices answer, and notes when next hops are others now.
    func attendDevices() {
        guard interfaces.event >= 0 else { return }
        var count: UInt64 = 0
        // Read first: what comes meanwhile makes it readable again.
        unsafe _ = read(interfaces.event, &count, 8)
        for device in interfaces.devices.values where device.attend() { isPlanStale = true }
    }
}
