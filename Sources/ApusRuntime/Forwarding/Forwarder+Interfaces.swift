import ApusHost
import ApusPorts

/// Interfaces that are deleted while it runs, and made again.
extension Forwarder {
    /// The interfaces that went and came back since the last call, in order; 64 at most.
    public func takeNews() -> [InterfaceNews] {
        defer { news = [] }
        return news
    }

    /// Closes the ports on interfaces that were deleted.
    func closeDeletedInterfaces(_ changes: HostChanges) {
        for number in interfaces.giveUpDeleted(changes, on: host) {
            isPlanStale = true
            tell(.lost(interfaces.names[number]))
            // A worker that gets no thread is told of, and tried again, by `attend`.
            try? crew.close(number, copiesBetweenPorts: interfaces.copiesBetweenPorts)
        }
    }

    /// Opens those that are there again, each once a second at most.
    func openReturnedInterfaces() {
        for number in interfaces.dueToOpen(on: host) {
            let name = interfaces.names[number]
            do throws(ForwarderError) {
                let ports = try interfaces.reopen(number, configuration, on: host)
                let workers = ports.indices.map { $0 % interfaces.workers }
                let grants = ports.indices.map { ports[$0].grant.preceded(by: interfaces.choices[number]) }
                // Before packets come in by it, unless many plans are made now: then `attend` makes it later. So it
                // does should the host not answer now.
                isPlanStale = true
                if hasPlanInterval() { try? replan() }
                try? crew.add(
                    ports, workers: workers, choices: interfaces.choices,
                    copiesBetweenPorts: interfaces.copiesBetweenPorts)
                tell(.returned(name, grants))
            } catch {
                let text = "\(error)"
                let reason = text.hasPrefix("\(name): ") ? String(text.dropFirst(name.count + 2)) : text
                if interfaces.absences[number] != reason { tell(.refused(name, reason: reason)) }
                interfaces.absences[number] = reason
            }
        }
    }

    func tell(_ one: InterfaceNews) { if news.count < 64 { news.append(one) } }
}
