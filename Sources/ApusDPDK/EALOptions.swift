public import ApusRings

/// How DPDK's environment (EAL) is started, which happens once a process.
public struct EALOptions: Sendable, Hashable {
    /// Whether memory shall be in hugepages. Without them there is only what ``memory`` says, in normal pages, and devices that
    /// need physical addresses can't be used: for trying.
    public var hugePages = HugePages.preferred
    /// Memory in MiB: with hugepages what is set aside at the start, `nil` for what is needed as it is needed; without them all
    /// there will ever be, 256 for `nil`.
    public var memory: Int?
    /// Where a hugetlbfs is mounted that shall be used; `nil` takes anonymous memory, for which nothing has to be mounted.
    public var hugePageDirectory: String?
    /// The core of its own thread, which hardly ever runs; `nil` is the first that this process may use.
    public var core: Int?
    /// The name under which it keeps files, where it keeps some.
    public var filePrefix = "apus"
    /// Devices on PCI that drivers take up at the start, for another device that is made of them, with what they are told:
    /// `0000:03:00.0,key=value`. Besides them none is taken up but those that are opened.
    public var allow: [String] = []
    /// Virtual devices that are made at the start and stay till the end: those that another is made of or attached to, and
    /// those of other kinds, such as `crypto_null0`.
    public var virtualDevices: [String] = []
    /// Further arguments, as DPDK's own programs take them.
    public var extra: [String] = []

    /// The defaults.
    public init() {}

    /// All the memory there is without hugepages, in MiB, where so much is asked for.
    package static func normalMegabytes(_ memory: Int?) -> Int { memory ?? 256 }
}
