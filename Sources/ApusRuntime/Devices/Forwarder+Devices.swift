import ApusHost
import Glibc

/// Interfaces that the kernel does not have.
extension Forwarder {
    /// The host's descriptor, and the bell of the devices.
    static func descriptors(
        _ host: HostView, _ interfaces: OpenInterfaces
    ) throws(ServiceError) -> DescriptorSet {
        let set = try DescriptorSet()
        try set.add(host.descriptor)
        try set.add(interfaces.bell.descriptor)
        return set
    }

    /// Has the hosts of the devices answer, and notes when next hops are others now.
    func attendDevices() {
        // First: what comes meanwhile rings again.
        interfaces.bell.rearm()
        for device in interfaces.openDevices {
            if device.checkLink() {
                let host = device.host
                tell(.link(host.name, isUp: !host.isLinkDown, details: host.link.report?.details ?? ""))
            }
            if device.host.attend() { isPlanStale = true }
            for text in device.host.takeConflicts() { tell(.conflict(device.host.name, text)) }
        }
    }
}
