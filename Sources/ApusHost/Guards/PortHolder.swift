public import ApusWire
import Glibc

/// The process that has a UDP port, or another socket.
public struct PortHolder: Hashable, Sendable, CustomStringConvertible {
    /// Its process id.
    public let pid: Int32
    /// Its name (`/proc/PID/comm`).
    public let name: String

    /// `ffmpeg (pid 42)`.
    public var description: String { "\(name) (pid \(pid))" }

    /// Finds who holds a port, or overlaps it by listening on every address.
    ///
    /// - Returns: nil if nobody does, or if this process may not look into the one that does.
    public static func find(_ endpoint: Endpoint) -> PortHolder? {
        find(inodes: Set(UDPTable.entries().filter { $0.overlaps(endpoint) }.map(\.inode)))
    }

    /// Finds who has one of these sockets open.
    static func find(inodes: Set<UInt64>) -> PortHolder? {
        guard !inodes.isEmpty else { return nil }
        let wanted = Set(inodes.map { "socket:[\($0)]" })
        for process in names(in: "/proc") {
            guard let pid = Int32(process) else { continue }
            for file in names(in: "/proc/\(process)/fd") {
                guard let target = linkTarget("/proc/\(process)/fd/\(file)"), wanted.contains(target) else {
                    continue
                }
                let name = contents(of: "/proc/\(process)/comm")?.split(separator: "\n").first.map(
                    String.init)
                return PortHolder(pid: pid, name: name ?? "a process")
            }
        }
        return nil
    }
}

/// The bound UDP sockets of this network namespace (proc(5), /proc/net/udp).
struct UDPTable {
    struct Entry: Equatable {
        let address: IPAddress
        let port: UInt16
        let inode: UInt64

        /// Whether a socket like this keeps one from binding there.
        func overlaps(_ endpoint: Endpoint) -> Bool {
            guard port == endpoint.port else { return false }
            switch (address, endpoint.address) {
            case (.v4, .v4), (.v6, .v6):
                return address == endpoint.address || address.isAny || endpoint.address.isAny
            // A socket on "::" may take IPv4 too; the table does not say whether it does.
            case (.v6, .v4): return address.isAny
            case (.v4, .v6): return false
            }
        }
    }

    static func entries() -> [Entry] {
        // Of the calling thread: another one may be in another namespace.
        ["udp", "udp6"].flatMap { table in
            (contents(of: "/proc/thread-self/net/\(table)") ?? "").split(separator: "\n").dropFirst()
                .compactMap { entry(String($0)) }
        }
    }

    /// Reads a line: `sl local_address rem_address st queues tr tm->when retrnsmt uid timeout inode …`. The address is
    /// in words of 32 bits, each in the byte order of this machine, the port in plain hexadecimal.
    static func entry(_ line: String) -> Entry? {
        let fields = line.split(separator: " ")
        guard fields.count >= 10, let inode = UInt64(fields[9]) else { return nil }
        let local = fields[1].split(separator: ":")
        guard local.count == 2, let port = UInt16(local[1], radix: 16) else { return nil }
        let words = stride(from: 0, to: local[0].utf8.count, by: 8).compactMap { offset in
            UInt32(local[0].dropFirst(offset).prefix(8), radix: 16).map { UInt32(bigEndian: $0) }
        }
        switch words.count {
        case 1: return Entry(address: .v4(IPv4Address(bits: words[0])), port: port, inode: inode)
        case 4:
            let high = UInt64(words[0]) << 32 | UInt64(words[1])
            let low = UInt64(words[2]) << 32 | UInt64(words[3])
            return Entry(address: .v6(IPv6Address(high: high, low: low)), port: port, inode: inode)
        default: return nil
        }
    }
}
