import Apus

/// What a port was granted, as short as it can be said; all of it is in the status and in `apus doctor`.
enum GrantText {
    /// How packets get in and out: `native, zero-copy`, `generic, copy`; with AF_PACKET `copy`; with DPDK the driver.
    static func short(_ features: [(name: String, granted: String)]) -> String {
        func granted(_ name: String) -> String? { features.first { $0.name == name }?.granted }
        if let driver = granted("driver") { return driver }
        let copies = granted("zero-copy") == "yes" ? "zero-copy" : "copy"
        return ([granted("XDP mode"), copies] as [String?]).compactMap(\.self).joined(separator: ", ")
    }

    /// A line for each interface, and below it one for each thing of which less was granted than asked for.
    static func lines(_ grants: [PortGrant]) -> [String] {
        var interfaces: [String] = []
        for grant in grants where !interfaces.contains(grant.interface) { interfaces.append(grant.interface) }
        return interfaces.flatMap { name in lines(name, grants.filter { $0.interface == name }) }
    }

    /// Whether a port is the part in a queue of a worker that has none: rings to another worker, and none of the device's.
    static func isShare(_ features: [(name: String, granted: String)]) -> Bool {
        features.contains { $0.name == "queue" && $0.granted.hasPrefix("rings to worker ") }
    }

    private static func lines(_ interface: String, _ all: [PortGrant]) -> [String] {
        let grants = all.filter { !isShare($0.features.map { ($0.name, $0.granted) }) }
        // The queues of an interface are granted the same nearly always; each kind has its line.
        var kinds: [(text: String, queues: [Int])] = []
        var lesser: [(text: String, queues: [Int])] = []
        for grant in grants {
            let short = short(grant.features.map { ($0.name, $0.granted) })
            add(grant.queue, to: &kinds, "\(grant.backend.rawValue), \(short)")
            for feature in grant.lesser {
                add(grant.queue, to: &lesser, "\(feature.name) \(feature.granted): \(feature.reason ?? "")")
            }
        }
        let heads = kinds.map { kind in
            let count = kind.queues.count
            // AF_PACKET's are its sockets, not the device's queues.
            let noun = grants[0].backend == .packet ? "socket" : "queue"
            return "\(interface): \(kind.text), \(count) \(noun)\(count == 1 ? "" : "s")"
        }
        let tails = lesser.map { less in
            let places =
                less.queues.count == grants.count ? "" : " (queue \(HostDiagnosis.ranges(less.queues)))"
            return "  \(less.text)\(places)"
        }
        return (heads + tails).map(\.printable)
    }

    private static func add(_ queue: Int, to list: inout [(text: String, queues: [Int])], _ text: String) {
        if let place = list.firstIndex(where: { $0.text == text }) {
            list[place].queues.append(queue)
        } else {
            list.append((text, [queue]))
        }
    }
}
