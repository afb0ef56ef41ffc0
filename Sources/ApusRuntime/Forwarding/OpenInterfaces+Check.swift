import ApusHost
import ApusXDP

/// What is wrong with interfaces that are open.
extension OpenInterfaces {
    /// Finds what was done to the interfaces so that packets pass the workers by; see ``troubles`` and ``deaf``.
    ///
    /// - Returns: what takes a restart, of all interfaces; `nil` when nothing does.
    func check(on host: HostView) -> String? {
        (troubles, deaf) = ([:], [])
        var restarts: [String] = []
        for (number, opened) in opened.enumerated() where opened != nil {
            let (name, link) = (names[number], host.links[indices[number]])
            if link?.isUp == false {
                troubles[number] = "down, so no packets come"
                deaf.insert(number)
            }
            guard case .xdp(let interface)? = opened else { continue }
            let (queues, served) = (interface.queueCount, interface.openQueues)
            if interface.steering?.isAttached == false {
                // It went with an interface that was deleted, or made again, since the host told last.
                guard let now = try? Link.ask(indices[number]), now.macAddress == link?.macAddress else {
                    continue
                }
                troubles[number] = "another program took our XDP program off, so no packets come; restart"
                deaf.insert(number)
            } else if queues > served {
                troubles[number] =
                    "it has \(queues) receive queues now, and \(served) when it was opened; what comes by the others "
                    + "is lost; restart, or `ethtool -L \(link?.name ?? name) combined \(served)` (or rx)"
            } else {
                continue
            }
            restarts.append("\(name): \(troubles[number]!)")
        }
        return restarts.isEmpty ? nil : restarts.joined(separator: "; ")
    }
}
