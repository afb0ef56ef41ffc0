public import ApusWire
import CMNL
import Glibc

/// An address of an interface (rtnetlink(7), RTM_NEWADDR).
public struct InterfaceAddress: Hashable, Sendable {
    /// The index of the interface.
    public let interface: Int32
    /// The address itself.
    public let address: IPAddress
    /// The length of the prefix that is on the link, in bits.
    public let prefixLength: Int
    /// Whether it can't be used yet, or never, because duplicate address detection (RFC 4862 section 5.4)
    /// has not ended or found another owner.
    public let isTentative: Bool
    /// Whether new flows should not use it (RFC 4862 section 5.5.4).
    public let isDeprecated: Bool
}

extension InterfaceAddress {
    /// Reads RTM_NEWADDR or RTM_DELADDR: struct ifaddrmsg, then IFA_ attributes (linux/if_addr.h).
    init?(_ message: NetlinkMessage) {
        let payload = message.payload
        guard let prefix: UInt8 = payload.load(at: 1), let short: UInt8 = payload.load(at: 2),
            let index: UInt32 = payload.load(at: 4)
        else { return nil }
        let attributes = payload.from(8).attributes
        // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 without a peer has no IFA_LOCAL.
        guard let address = (attributes[Int(IFA_LOCAL)] ?? attributes[Int(IFA_ADDRESS)])?.ipAddress else {
            return nil
        }
        let flags = attributes[Int(IFA_FLAGS)]?.load(as: UInt32.self) ?? UInt32(short)
        interface = Int32(bitPattern: index)
        self.address = address
        prefixLength = Int(prefix)
        // A tentative address that may be used already (RFC 4429) is as good as any.
        let isOptimistic = flags & UInt32(IFA_F_OPTIMISTIC) != 0
        isTentative = flags & UInt32(IFA_F_TENTATIVE | IFA_F_DADFAILED) != 0 && !isOptimistic
        isDeprecated = flags & UInt32(IFA_F_DEPRECATED) != 0
    }
}
