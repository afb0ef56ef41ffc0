import ApusBench
import Synchronization

/// A virtual device of DPDK's that needs nothing of the machine.
enum VirtualDevice: String, CaseIterable {
    /// Gives packets without end, whose octets nobody has written, and drops what it gets.
    case null
    /// Gives what it got: a ring of 1024.
    case ring

    /// Octets of a packet.
    static let size = 64
    /// Packets in a burst.
    static let burst = 32
    /// Packets on their way round the ring.
    static let circling = 4 * burst
    /// Frames of a port's pool, and descriptors each way, of which these devices use none.
    static let frames = 8192
    static let descriptors = 1024

    /// How many devices were opened so far, so that each has a name of its own.
    private static let opened = Atomic<Int>(0)

    /// DPDK's name of the next one, and that with its options.
    func next() -> (name: String, device: String) {
        let name = "net_\(rawValue)\(Self.opened.add(1, ordering: .relaxed).newValue)"
        return (name, device(name))
    }

    /// DPDK's string for a device of that name.
    func device(_ name: String) -> String { self == .null ? "\(name),size=\(Self.size)" : name }

    /// A packet of which each octet is another.
    static let packet = (1...UInt8(size)).map { $0 }
}

/// What is done to a packet, by testpmd's names.
enum Handling: String, CaseIterable {
    /// Nothing: it is sent by the port that it came by.
    case io
    /// Its link-layer addresses change places.
    case macswap

    /// What becomes of a packet.
    func result(of packet: [UInt8]) -> [UInt8] {
        self == .io ? packet : Array(packet[6..<12] + packet[..<6] + packet[12...])
    }
}
