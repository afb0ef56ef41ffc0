import CMNL
import Glibc

/// What a driver does of XDP, as the kernel's `netdev` generic netlink family tells it (Linux 6.3,
/// Documentation/netlink/specs/netdev.yaml).
public struct XDPFeatures: OptionSet, Hashable, Sendable, Codable {
    /// The kernel's bits (enum netdev_xdp_act).
    public let rawValue: UInt64

    /// A set of the kernel's bits.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Programs run in the driver: native mode works, with XDP_PASS, DROP, ABORTED and TX.
    public static let native = XDPFeatures(rawValue: 1 << 0)
    /// XDP_REDIRECT works, so AF_XDP sockets can receive in native mode.
    public static let redirect = XDPFeatures(rawValue: 1 << 1)
    /// Others may redirect frames to this interface.
    public static let redirectTarget = XDPFeatures(rawValue: 1 << 2)
    /// AF_XDP sockets can have zero-copy.
    public static let zeroCopy = XDPFeatures(rawValue: 1 << 3)
    /// Programs can run in the card.
    public static let offload = XDPFeatures(rawValue: 1 << 4)
    /// Frames of several buffers can be received in native mode.
    public static let multiBufferReceive = XDPFeatures(rawValue: 1 << 5)
    /// Frames of several buffers can be redirected to this interface.
    public static let multiBufferTransmit = XDPFeatures(rawValue: 1 << 6)

    /// Asks the kernel about the interface with this index; nil where it has no such family.
    static func ask(_ index: Int32) throws(HostError) -> XDPFeatures? {
        do {
            var socket = try NetlinkSocket(bus: NETLINK_GENERIC)
            // Each generic message starts with a command, a version and 16 reserved bits (genlmsghdr).
            // GENL_ID_CTRL 16, CTRL_CMD_GETFAMILY 3, CTRL_ATTR_FAMILY_NAME 2, CTRL_ATTR_FAMILY_ID 1.
            var family = NetlinkRequest(type: 16, header: [3, 1, 0, 0])
            family.put(2, Array("netdev".utf8) + [0])
            let answer = try socket.ask(family, for: "the netlink family netdev")
            guard let id: UInt16 = answer.first?.payload.from(4).attributes[1]?.load() else { return nil }
            // NETDEV_CMD_DEV_GET 1, NETDEV_A_DEV_IFINDEX 1, NETDEV_A_DEV_XDP_FEATURES 3.
            var device = NetlinkRequest(type: Int(id), header: [1, 1, 0, 0])
            device.put(1, NetlinkRequest.native(UInt32(bitPattern: index)))
            let features = try socket.ask(device, for: "the XDP features of the interface \(index)")
            return features.first?.payload.from(4).attributes[3]?.load().map(XDPFeatures.init(rawValue:))
        } catch {
            guard case .netlink(_, ENOENT, _) = error else { throw error }
            return nil
        }
    }
}
