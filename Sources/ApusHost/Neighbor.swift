public import ApusWire
import CMNL
import Glibc

/// An entry of the kernel's ARP or neighbor discovery table (rtnetlink(7), RTM_NEWNEIGH).
public struct Neighbor: Hashable, Sendable {
    /// Which neighbor: an address on an interface.
    public struct Key: Hashable, Sendable {
        /// The index of the interface.
        public let interface: Int32
        /// The neighbor's address on that link.
        public let address: IPAddress

        /// A key of its parts.
        public init(interface: Int32, address: IPAddress) {
            (self.interface, self.address) = (interface, address)
        }
    }

    /// How far the kernel's knowledge goes (RFC 4861 section 7.3.2, which Linux follows for ARP too).
    public enum State: String, Hashable, Sendable {
        /// Nothing is known and nothing is being done.
        case unknown
        /// The kernel is asking and has no answer yet.
        case incomplete
        /// It answered a short time ago.
        case reachable
        /// It answered once; before the kernel sends there again, it asks again.
        case stale
        /// The kernel has sent there and waits a little before it asks.
        case delay
        /// The kernel is asking an address that it knows, once more.
        case probe
        /// It did not answer.
        case failed
        /// The interface resolves nothing.
        case noARP
        /// An administrator has set it.
        case permanent
    }

    /// Which neighbor.
    public let key: Key
    /// Its Ethernet address, where one is known.
    public let macAddress: MACAddress?
    /// How far it is known.
    public let state: State

    /// Whether frames may be sent to `macAddress` (NUD_VALID in the kernel).
    public var isUsable: Bool { usableAddress != nil }

    /// The Ethernet address that frames may be sent to.
    var usableAddress: MACAddress? {
        switch state {
        case .unknown, .incomplete, .failed: nil
        case .reachable, .stale, .delay, .probe, .noARP, .permanent: macAddress
        }
    }
}

extension Neighbor {
    /// Reads RTM_NEWNEIGH or RTM_DELNEIGH: struct ndmsg, then NDA_ attributes (linux/neighbour.h).
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard let family: UInt8 = payload.load(at: 0), let index: UInt32 = payload.load(at: 4),
            let state: UInt16 = payload.load(at: 8), let flags: UInt8 = payload.load(at: 10),
            // A bridge's forwarding table comes in the same messages, and so do addresses that we answer for.
            CInt(family) == AF_INET || CInt(family) == AF_INET6, CInt(flags) & NTF_PROXY == 0
        else { return nil }
        let attributes = payload.from(12).attributes
        guard let address = attributes[Int(NDA_DST)]?.ipAddress else { return nil }
        key = Key(interface: Int32(bitPattern: index), address: address)
        let link = attributes[Int(NDA_LLADDR)]
        macAddress = link?.count == 6 ? link?.macAddress : nil
        self.state =
            switch CInt(state) {
            case NUD_INCOMPLETE: .incomplete
            case NUD_REACHABLE: .reachable
            case NUD_STALE: .stale
            case NUD_DELAY: .delay
            case NUD_PROBE: .probe
            case NUD_FAILED: .failed
            case NUD_NOARP: .noARP
            case NUD_PERMANENT: .permanent
            default: .unknown
            }
    }
}
