import ApusHost
import ApusWire
import Glibc
import NetworkLab
import Testing

extension Pair {
    /// The Ethernet address of an interface as sysfs has it.
    func mac(_ name: String, in space: Namespace) throws -> MACAddress {
        let text = try space.run("cat", "/sys/class/net/\(name)/address").standardOutput
        return try #require(MACAddress(String(text.dropLast())))
    }
}

extension IPAddress: ExpressibleByStringLiteral {
    /// An address that is right in the test's own source.
    public init(stringLiteral text: String) { self = IPAddress(text)! }
}

extension HostView {
    /// Takes in changes until all that was taken in satisfies a condition, for five seconds at most.
    @discardableResult
    func changes(until condition: (HostChanges) throws -> Bool) throws -> HostChanges {
        var all = HostChanges()
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            let changes = try process()
            all.links.formUnion(changes.links)
            all.deletedLinks.formUnion(changes.deletedLinks)
            all.addresses.formUnion(changes.addresses)
            all.neighbors.formUnion(changes.neighbors)
            all.readdressed.formUnion(changes.readdressed)
            all.routes = all.routes || changes.routes
            all.rules = all.rules || changes.rules
            all.isResynchronized = all.isResynchronized || changes.isResynchronized
            if try condition(all) { return all }
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&wait, 1, 100)
        }
        Issue.record("the awaited change did not come; these did: \(all)")
        return all
    }

    /// Takes in changes until nothing has come for a moment, so that what follows is caused by the test.
    func settle() throws {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let deadline = ContinuousClock.now + .seconds(5)
        while unsafe poll(&wait, 1, 200) > 0, ContinuousClock.now < deadline { _ = try process() }
    }
}

extension Resolution {
    /// The next hop, whether its neighbor is resolved or not.
    var anyHop: NextHop? {
        switch self {
        case .resolved(let hop), .unresolved(let hop): hop
        case .unreachable: nil
        }
    }

    var isUnresolved: Bool { if case .unresolved = self { true } else { false } }
}
