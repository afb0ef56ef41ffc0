import CLinux
import Glibc

/// What the driver of an interface says about it. Reading it needs no privilege.
public struct InterfaceFacts: Sendable, Equatable, Codable {
    /// A number that is set now and the most it can be set to.
    public struct Setting: Sendable, Hashable, Codable {
        /// What is set.
        public var current: Int
        /// The most the driver takes.
        public var maximum: Int
    }

    /// The queues of an interface (`ethtool -l`).
    public struct Channels: Sendable, Hashable, Codable {
        /// Queues that only receive.
        public var receive: Setting
        /// Queues that only transmit.
        public var transmit: Setting
        /// Pairs of both.
        public var combined: Setting

        /// How many receive queues are in use.
        public var receiveQueues: Int { receive.current + combined.current }
        /// How many transmit queues are in use.
        public var transmitQueues: Int { transmit.current + combined.current }
    }

    /// The descriptors of a queue (`ethtool -g`).
    public struct Rings: Sendable, Hashable, Codable {
        /// For receiving.
        public var receive: Setting
        /// For transmitting.
        public var transmit: Setting
    }

    /// The offloads that change what a packet program sees (`ethtool -k`). nil: the driver does not say.
    public struct Offloads: Sendable, Hashable, Codable {
        /// The card takes VLAN tags off, so they are beside the frame and not in it. XDP can't see them then.
        public var receiveVLANStripping: Bool?
        /// The card puts VLAN tags in.
        public var transmitVLANInsertion: Bool?
        /// The kernel merges packets of a flow.
        public var genericReceive: Bool?
        /// The card merges packets of a flow; XDP does not go with it.
        public var largeReceive: Bool?
        /// The card checks checksums.
        public var receiveChecksum: Bool?
        /// The card computes checksums. Packets from this host may then be seen without one.
        public var transmitChecksum: Bool?
        /// The card takes segments larger than the MTU.
        public var segmentation: Bool?
        /// The card can steer flows to queues by rules (`ethtool -N`).
        public var flowSteering: Bool?
        /// The card gives a hash of the flow with each packet.
        public var receiveHash: Bool?
    }

    /// The driver's name: "veth", "ixgbe", "virtio_net".
    public var driver: String?
    /// The version of the card's firmware.
    public var firmware: String?
    /// Where the card is: a PCI address as "0000:03:00.0".
    public var bus: String?
    /// The NUMA node the card is on; nil where the kernel knows none.
    public var node: Int?
    /// The speed of the link in Mbit/s; nil where it has none.
    public var speed: Int?
    /// Its queues; nil where the driver does not say.
    public var channels: Channels?
    /// The descriptors of its queues; nil where the driver does not say.
    public var rings: Rings?
    /// Its offloads.
    public var offloads: Offloads
    /// What its driver does of XDP; nil where the kernel does not say (before Linux 6.3).
    public var xdp: XDPFeatures?

    /// Asks the driver, in the network namespace of the calling thread.
    ///
    /// Drivers leave much of it out; what they leave out is nil. Throws `systemCall` with ENODEV when the
    /// interface is gone.
    public init(_ link: Link) throws(HostError) {
        let ethtool = Ethtool(interface: link.name)
        guard unsafe if_nametoindex(link.name) != 0 else {
            throw .systemCall("interface \(link.name)", ENODEV)
        }

        let information = ethtool.driver()
        driver = information?.driver
        firmware = information?.firmware
        bus = information?.bus
        let folder = "/sys/class/net/\(link.name)"
        node = number(of: "\(folder)/device/numa_node").flatMap { $0 >= 0 ? $0 : nil }
        speed = number(of: "\(folder)/speed").flatMap { $0 > 0 ? $0 : nil }
        channels = ethtool.channels()
        rings = ethtool.rings()
        offloads = ethtool.offloads()
        xdp = try XDPFeatures.ask(link.index)
    }
}

/// The questions of the ethtool ioctl (linux/ethtool.h).
private struct Ethtool {
    let interface: String

    /// Asks with a command structure; false where the driver does not know the command.
    private func ask<Command>(_ command: inout Command) -> Bool {
        // The structure is the one its own first word names, so the kernel writes inside it.
        unsafe withUnsafeMutablePointer(to: &command) { unsafe apus_ethtool(interface, $0) == 0 }
    }

    func driver() -> (driver: String?, firmware: String?, bus: String?)? {
        var command = ethtool_drvinfo()
        command.cmd = UInt32(ETHTOOL_GDRVINFO)
        guard ask(&command) else { return nil }
        return (Self.text(command.driver), Self.text(command.fw_version), Self.text(command.bus_info))
    }

    func channels() -> InterfaceFacts.Channels? {
        var command = ethtool_channels()
        command.cmd = UInt32(ETHTOOL_GCHANNELS)
        guard ask(&command) else { return nil }
        return InterfaceFacts.Channels(
            receive: .init(current: Int(command.rx_count), maximum: Int(command.max_rx)),
            transmit: .init(current: Int(command.tx_count), maximum: Int(command.max_tx)),
            combined: .init(current: Int(command.combined_count), maximum: Int(command.max_combined)))
    }

    func rings() -> InterfaceFacts.Rings? {
        var command = ethtool_ringparam()
        command.cmd = UInt32(ETHTOOL_GRINGPARAM)
        guard ask(&command) else { return nil }
        return InterfaceFacts.Rings(
            receive: .init(current: Int(command.rx_pending), maximum: Int(command.rx_max_pending)),
            transmit: .init(current: Int(command.tx_pending), maximum: Int(command.tx_max_pending)))
    }

    func offloads() -> InterfaceFacts.Offloads {
        let flags = value(ETHTOOL_GFLAGS)
        func flag(_ flag: ethtool_flags) -> Bool? { flags.map { $0 & flag.rawValue != 0 } }
        func isOn(_ command: CInt) -> Bool? { value(command).map { $0 != 0 } }
        return InterfaceFacts.Offloads(
            receiveVLANStripping: flag(ETH_FLAG_RXVLAN), transmitVLANInsertion: flag(ETH_FLAG_TXVLAN),
            genericReceive: isOn(ETHTOOL_GGRO), largeReceive: flag(ETH_FLAG_LRO),
            receiveChecksum: isOn(ETHTOOL_GRXCSUM), transmitChecksum: isOn(ETHTOOL_GTXCSUM),
            segmentation: isOn(ETHTOOL_GTSO), flowSteering: flag(ETH_FLAG_NTUPLE),
            receiveHash: flag(ETH_FLAG_RXHASH))
    }

    private func value(_ number: CInt) -> UInt32? {
        var command = ethtool_value(cmd: UInt32(number), data: 0)
        return ask(&command) ? command.data : nil
    }

    /// The text in an array of C; nil where it is empty or "N/A", as some drivers say it.
    private static func text<Characters>(_ characters: Characters) -> String? {
        let text = unsafe withUnsafeBytes(of: characters) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return text.isEmpty || text == "N/A" ? nil : text
    }
}
