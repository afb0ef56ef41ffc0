import Apus
import Foundation

#if DPDK
    import ApusDPDK
#endif

/// What DPDK finds on a host, for people and programs.
struct DPDKDiagnosis: Encodable, Equatable {
    /// What was read, as it was read.
    var facts: DPDKHostFacts
    /// The cores that the scheduler leaves alone (`isolcpus=`).
    var isolatedCPUs: [Int]
    /// Where the file system of huge pages is mounted.
    var hugepageMounts: [HostFacts.HugepageMount]
    var findings: [Finding]
}

/// A network card on PCI.
struct DeviceDiagnosis: Encodable, Equatable {
    var facts: PCINetworkDevice
    /// Whether a default route or an SSH connection goes by it.
    var isInUse: Bool
    /// How good it is for DPDK now: `ok`, `degraded` where a command is needed first, or `impossible`.
    var verdict: DoctorLevel
    var findings: [Finding]
}

/// The facts that the checks of DPDK need.
struct DoctorDPDKFacts {
    var dpdk: DPDKHostFacts
    var devices: [PCINetworkDevice]
    /// The interfaces by which an operator may be connected, those beneath and above them too, and by what.
    var access: [String: String]
    /// Whether this build has DPDK, and what it finds of it.
    var library: Finding

    /// Asks the kernel. Changes nothing.
    static func current(_ links: [Link], addresses: [InterfaceAddress]) -> DoctorDPDKFacts {
        let variable = unsafe getenv("SSH_CONNECTION").map { unsafe String(cString: $0) }
        return DoctorDPDKFacts(
            dpdk: .current(), devices: PCINetworkDevice.all(),
            access: access(.current(sshConnection: variable), links, addresses), library: library())
    }

    /// What this build has of DPDK: its libraries, and the drivers beside them. It does not start it.
    static func library() -> Finding {
        #if DPDK
            library(EAL.version, drivers: EAL.driverFolder)
        #else
            Finding(
                "DPDK", .impossible,
                "this apus was built without it; build it where libdpdk-dev is installed, with the trait DPDK"
            )
        #endif
    }

    /// The same of a version with its drivers in a folder.
    static func library(_ version: String, drivers folder: String) -> Finding {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        // DPDK loads what ends so, as its version has it: librte_net_null.so.23.0.
        let drivers = files.filter { $0.hasPrefix("librte_net_") && $0.contains(".so.") }
        let count = Set(drivers.map { $0.prefix { $0 != "." } }).count
        guard count > 0 else {
            return Finding(
                "DPDK", .impossible, "\(version), without a driver for network devices in \(folder)",
                remedy: "apt-get install librte-meta-net")
        }
        return Finding("DPDK", .ok, "\(version), \(count) drivers for network devices in \(folder)")
    }

    /// The interfaces that carry a default route or an SSH connection: those named, those beneath a VLAN interface,
    /// and the ports of a bond or bridge.
    static func access(
        _ remote: RemoteAccess, _ links: [Link], _ addresses: [InterfaceAddress]
    ) -> [String: String] {
        var found: [String: String] = [:]
        func add(_ link: Link, _ reason: String, _ depth: Int) {
            // Interfaces lie on each other a few deep; the bound is for those that change while they are read.
            guard depth < 8, found[link.name]?.contains(reason) != true else { return }
            found[link.name] = found[link.name].map { "\($0) and \(reason)" } ?? reason
            for other in links where other.index == link.parent || other.controller == link.index {
                add(other, reason, depth + 1)
            }
        }
        for link in links where remote.routeInterfaces.contains(link.name) {
            add(link, "the default route", 0)
        }
        for address in addresses where remote.sshAddresses.contains(address.address) {
            if let link = links.first(where: { $0.index == address.interface }), !link.isLoopback {
                add(link, "an SSH connection", 0)
            }
        }
        return found
    }
}
