import ApusDevices
import ApusHost
import ApusPorts
import Glibc

/// What the kernel asks of a process that opens a device of which the kernel has a part.
extension DPDKDevice {
    /// The capabilities that opening it takes, where this process lacks any of them: all, and those that it lacks.
    ///
    /// - Parameter octets: how much memory it locks.
    func missingCapabilities(locking octets: Int) -> (needed: [Capability], missing: [Capability])? {
        guard case .virtual(let device) = self else { return nil }
        var needed: [Capability]
        if device.isOf("net_tap") || device.isOf("net_tun") {
            needed = [.netAdmin]
        } else if device.isOf("net_af_packet") {
            // The second to say what the interface receives.
            needed = [.netRaw, .netAdmin]
        } else if device.isOf("net_af_xdp") {
            // The last for libxdp, which asks the kernel for programs by number; it includes CAP_BPF and CAP_PERFMON.
            needed = [.netRaw, .netAdmin, .sysAdmin]
            if let limit = HostFacts.currentLockedMemoryLimit, limit < UInt64(octets) {
                needed.append(.ipcLock)
            }
        } else {
            return nil
        }
        let current = Capabilities.current()
        let missing = needed.filter { !current.has($0) }
        return missing.isEmpty ? nil : (needed, missing)
    }

    /// That an AF_XDP socket has a part of an interface's queues only, and what comes by the others never comes here.
    var queuesLeft: PortGrant.Feature? {
        guard case .virtual(let device) = self, device.isOf("net_af_xdp"), let name = device.interface,
            let link = try? Link.ask(Int32(unsafe if_nametoindex(name))),
            let channels = try? InterfaceFacts(link).channels
        else { return nil }
        let queues = channels.receiveQueues
        let count = device.value(of: "queue_count").flatMap { Int($0) } ?? 1
        guard count < queues else { return nil }
        return PortGrant.Feature(
            "queues of \(name)", requested: "\(queues)", granted: "\(count)",
            reason: "packets of its other queues are the kernel's; "
                + (channels.combined.current == queues
                    ? "queue_count=\(queues) behind the device takes all, and " : "")
                + "`ethtool -L \(name) \(channels.combined.current > 0 ? "combined" : "rx") \(count)` leaves it no other"
        )
    }

    /// Claims the interface of the kernel's that it is over: else two programs would both answer for its addresses, or each get
    /// a part of what comes.
    ///
    /// - Returns: nil where there is none, or none yet.
    func claim(_ text: String) throws(DPDKError) -> InterfaceClaim? {
        guard case .virtual(let device) = self, let name = device.interface,
            device.usesInterface || device.isOf("net_tap") || device.isOf("net_tun")
        else { return nil }
        let index = unsafe if_nametoindex(name)
        guard index > 0 else { return nil }
        // AF_XDP sockets may share an interface by its queues; two on one the kernel refuses.
        let first = device.isOf("net_af_xdp") ? device.value(of: "start_queue").flatMap { UInt16($0) } : nil
        do throws(InterfaceClaim.Refusal) {
            return try InterfaceClaim(first.map { "dpdk-queue\($0)" } ?? "dpdk", on: index)
        } catch {
            switch error {
            case .taken(let holder):
                throw DPDKError(text, .interfaceInUse(name, by: holder?.description ?? "another process"))
            case .failed(let code):
                throw DPDKError(text, .notSetUp(step: "claiming \(name)", code: code, log: []))
            }
        }
    }
}
