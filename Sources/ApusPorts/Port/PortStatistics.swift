/// What a port has counted since it was opened.
///
/// Nothing is lost without a name: what arrived at the driver is received or among ``drops``, and
/// what the driver took to send is sent, ``pending`` or among them.
@frozen
public struct PortStatistics: Sendable, Equatable {
    /// Packets handed to the application.
    public var received: UInt64 = 0
    /// Their bytes, link-layer header included.
    public var receivedBytes: UInt64 = 0
    /// Packets that the kernel, or the device of a zero-copy port, has taken to send.
    ///
    /// What becomes of them after that it does not tell, and a queueing discipline may drop what it has taken. So does,
    /// without a carrier, that of an interface which is up: it says NET_XMIT_CN to each packet, which a packet socket is
    /// not told. AF_XDP, and AF_PACKET past the queueing discipline, are told: those packets are ``PortDrop/sendRefused``.
    public var sent: UInt64 = 0
    /// Their bytes, link-layer header included.
    public var sentBytes: UInt64 = 0
    /// Packets that the driver has taken, and the kernel or the device not yet. They wait for a ``PortDriver/flush()``.
    public var pending: UInt64 = 0
    /// Packets dropped, by reason.
    public var drops = PortDrops()

    /// Nothing counted yet.
    @inlinable
    public init() {}
}

/// Why a port dropped a packet.
public enum PortDrop: Int, CaseIterable, Sendable {
    /// The pool had no free frame to receive into or to copy to.
    case poolEmpty
    /// The receive ring was full: the application did not poll often enough.
    case receiveRingFull
    /// The kernel found no free frame in the fill ring.
    case fillRingEmpty
    /// The kernel dropped it for a reason of its own.
    case kernel
    /// The device found it damaged, or dropped it for a reason of its own.
    case device
    /// The kernel refused a descriptor of ours.
    case invalidDescriptor
    /// A descriptor of the kernel's is not that of a frame it was given to receive into, or of no packet there can be.
    case badDescriptor
    /// Longer than the frames or than the interface sends.
    case tooLong
    /// Datagrams that the kernel had merged into one packet, and that could not be parted again.
    case merged
    /// A frame of a memory that this port can't send from; see ``Port/transmitCopying(_:)``.
    case foreignMemory
    /// The kernel or the device refused to send it, or had not taken it when the port was closed.
    case sendRefused
    /// The interface it should leave by is down.
    case linkDown
    /// Recorded shorter than it was (a capture file's snapshot length).
    case truncated
    /// Lost on purpose by an injected fault.
    case injectedLoss
    /// The ring to the worker whose flow it is of was full: that worker did not keep up.
    case workerRingFull
}

/// A counter for each ``PortDrop``, in place.
@frozen
public struct PortDrops: Sendable, Equatable {
    @usableFromInline var counts = InlineArray<15, UInt64>(repeating: 0)

    /// No drops yet.
    @inlinable
    public init() {}

    /// Packets dropped for this reason.
    @inlinable
    public subscript(_ reason: PortDrop) -> UInt64 {
        get { counts[reason.rawValue] }
        set { counts[reason.rawValue] = newValue }
    }

    /// Packets dropped for any reason.
    public var total: UInt64 { PortDrop.allCases.reduce(0) { $0 + self[$1] } }

    /// Adds what was dropped between two looks at other counters.
    package mutating func add(_ now: PortDrops, since before: PortDrops) {
        for reason in counts.indices { counts[reason] &+= now.counts[reason] &- before.counts[reason] }
    }

    /// Takes off what was dropped of something else.
    package mutating func subtract(_ other: PortDrops) {
        for reason in counts.indices { counts[reason] &-= other.counts[reason] }
    }

    /// Whether all counters are equal.
    public static func == (one: PortDrops, other: PortDrops) -> Bool {
        PortDrop.allCases.allSatisfy { one[$0] == other[$0] }
    }
}
