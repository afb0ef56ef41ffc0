public import ApusWire
import CMNL
import Glibc

/// A network interface as the kernel describes it (rtnetlink(7), RTM_NEWLINK).
public struct Link: Hashable, Sendable {
    /// A VLAN tag that a VLAN interface adds.
    public struct VLAN: Hashable, Sendable {
        /// The VLAN identifier, 1 to 4094.
        public let id: UInt16
        /// The tag's protocol: 0x8100 (IEEE 802.1Q) or 0x88a8 (802.1ad).
        public let tpid: UInt16

        /// A tag of its parts.
        public init(id: UInt16, tpid: UInt16 = 0x8100) { (self.id, self.tpid) = (id, tpid) }
    }

    /// The XDP program on an interface.
    public struct XDPProgram: Hashable, Sendable {
        /// Where a program runs.
        public enum Mode: String, Hashable, Sendable {
            /// In the driver.
            case native
            /// In the kernel's stack, after it has made a socket buffer.
            case generic
            /// In the card.
            case offloaded
            /// In more than one of these places.
            case several
        }
        /// Where it runs.
        public let mode: Mode
        /// The kernel's number of the program; 0 where several programs are attached.
        public let id: UInt32
    }

    /// The kernel's number of the interface, which stays when it is renamed.
    public let index: Int32
    /// Its name, up to 15 bytes.
    public let name: String
    /// Its Ethernet address; nil where it has none of six octets.
    public let macAddress: MACAddress?
    /// The largest IP packet it takes, in bytes.
    public let mtu: Int
    /// Whether it is set up (IFF_UP).
    public let isUp: Bool
    /// Whether there is something at the other end (IFF_LOWER_UP).
    public let hasCarrier: Bool
    /// Whether it is a loopback interface.
    public let isLoopback: Bool
    /// Whether it leads to one peer only (IFF_POINTOPOINT).
    public let isPointToPoint: Bool
    /// Whether it resolves no neighbors (IFF_NOARP).
    public let hasNoARP: Bool
    /// Whether frames on it are Ethernet frames (ARPHRD_ETHER, ARPHRD_LOOPBACK).
    public let isEthernet: Bool
    /// The kind of a virtual interface, "veth", "vlan", "bridge" …; nil for a physical one.
    public let kind: String?
    /// The index of the bridge, bond or VRF it belongs to.
    public let controller: Int32?
    /// The index of the interface beneath, of VLAN, macvlan and such; nil where that is in another namespace.
    public let parent: Int32?
    /// The tag that a VLAN interface adds to what is sent on it.
    public let vlan: VLAN?
    /// The number of receive queues it was made with.
    public let receiveQueues: Int
    /// The number of transmit queues it was made with.
    public let transmitQueues: Int
    /// The XDP program that runs on it.
    public let xdpProgram: XDPProgram?
}

extension Link {
    /// Asks the kernel about one interface of the calling thread's network namespace.
    ///
    /// Throws `netlink` with ENODEV when it is gone.
    public static func ask(_ index: Int32) throws(HostError) -> Link {
        // struct ifinfomsg: the family and the type, then the index, the flags and their mask.
        let number = NetlinkRequest.native(UInt32(bitPattern: index))
        let header = [0, 0, 0, 0] + number + [0, 0, 0, 0, 0, 0, 0, 0]
        let purpose = "the interface with index \(index)"
        var socket = try NetlinkSocket()
        let answer = try socket.ask(NetlinkRequest(type: Int(RTM_GETLINK), header: header), for: purpose)
        guard let link = answer.lazy.compactMap(Link.init).first else {
            throw .netlink(purpose, code: ENODEV, explanation: "")
        }
        return link
    }

    /// Whether an interface of this kind is several others together: a bond or a team. Its frames come in by their
    /// drivers.
    public static func isAggregate(kind: String?) -> Bool { kind == "bond" || kind == "team" }

    /// Reads RTM_NEWLINK or RTM_DELLINK: struct ifinfomsg, then IFLA_ attributes (linux/if_link.h).
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard let family: UInt8 = payload.load(at: 0), let hardware: UInt16 = payload.load(at: 2),
            let index: UInt32 = payload.load(at: 4), let flags: UInt32 = payload.load(at: 8),
            payload.count >= 16,
            // Bridges tell about their ports in the same form, but without most of the attributes.
            family == AF_UNSPEC
        else { return nil }
        let attributes = payload.from(16).attributes
        guard let name = attributes[Int(IFLA_IFNAME)]?.string else { return nil }

        self.index = Int32(bitPattern: index)
        self.name = name
        func has(_ flag: UInt32) -> Bool { flags & flag != 0 }
        isUp = has(0x1)  // IFF_UP
        isLoopback = has(0x8)  // IFF_LOOPBACK
        isPointToPoint = has(0x10)  // IFF_POINTOPOINT
        hasNoARP = has(0x80)  // IFF_NOARP
        hasCarrier = has(0x1_0000)  // IFF_LOWER_UP
        isEthernet = hardware == 1 || hardware == 772  // ARPHRD_ETHER, ARPHRD_LOOPBACK
        let address = attributes[Int(IFLA_ADDRESS)]
        macAddress = address?.count == 6 && isEthernet ? address?.macAddress : nil
        func number(_ attribute: some BinaryInteger) -> UInt32? { attributes[Int(attribute)]?.load() }
        mtu = Int(number(IFLA_MTU) ?? 0)
        receiveQueues = Int(number(IFLA_NUM_RX_QUEUES) ?? 1)
        transmitQueues = Int(number(IFLA_NUM_TX_QUEUES) ?? 1)
        controller = number(IFLA_MASTER).map(Int32.init(bitPattern:))

        let information = attributes[Int(IFLA_LINKINFO)]?.attributes
        kind = information?[Int(IFLA_INFO_KIND)]?.string
        // The kernel names a veth's other end in the same attribute, and a parent in another namespace
        // by an index that means something else here.
        let isBeneath = kind != "veth" && attributes[Int(IFLA_LINK_NETNSID)] == nil
        parent =
            isBeneath ? number(IFLA_LINK).map(Int32.init(bitPattern:)).flatMap { $0 > 0 ? $0 : nil } : nil
        let data = information?[Int(IFLA_INFO_DATA)]?.attributes
        if kind == "vlan", let id: UInt16 = data?[Int(IFLA_VLAN_ID)]?.load() {
            let tpid = data?[Int(IFLA_VLAN_PROTOCOL)]?.loadBigEndian(at: 0, as: UInt16.self)
            vlan = VLAN(id: id, tpid: tpid ?? 0x8100)
        } else {
            vlan = nil
        }
        xdpProgram = XDPProgram(attributes[Int(IFLA_XDP)]?.attributes)
    }
}

extension Link.XDPProgram {
    fileprivate init?(_ attributes: NetlinkAttributes?) {
        guard let attributes, let attached: UInt8 = attributes[Int(IFLA_XDP_ATTACHED)]?.load() else {
            return nil
        }
        switch Int(attached) {
        case Int(XDP_ATTACHED_DRV): mode = .native
        case Int(XDP_ATTACHED_SKB): mode = .generic
        case Int(XDP_ATTACHED_HW): mode = .offloaded
        case Int(XDP_ATTACHED_MULTI): mode = .several
        default: return nil
        }
        id = attributes[Int(IFLA_XDP_PROG_ID)]?.load() ?? 0
    }
}

extension NetlinkBytes {
    /// The six octets of an Ethernet address.
    var macAddress: MACAddress? {
        guard let high: UInt32 = loadBigEndian(at: 0), let low: UInt16 = loadBigEndian(at: 4) else {
            return nil
        }
        return MACAddress(bits: UInt64(high) << 16 | UInt64(low))
    }

    /// An IPv4 or IPv6 address, by its length.
    var ipAddress: IPAddress? {
        switch count {
        case 4: loadBigEndian(at: 0).map { .v4(IPv4Address(bits: $0)) }
        case 16:
            if let high: UInt64 = loadBigEndian(at: 0), let low: UInt64 = loadBigEndian(at: 8) {
                .v6(IPv6Address(high: high, low: low))
            } else {
                nil
            }
        default: nil
        }
    }
}
