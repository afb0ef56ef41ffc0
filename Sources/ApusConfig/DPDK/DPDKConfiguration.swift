/// How DPDK's environment (EAL) is started, once in a process, where an interface needs it.
public struct DPDKConfiguration: Hashable, Sendable {
    /// Whether its memory is in huge pages, which must be free then, or in normal ones (`--no-huge`): for trying, as
    /// cards that are bound to VFIO or UIO can't use it.
    public var hugepages: Bool
    /// How much memory is taken at the start, in MiB: 16 to 1,048,576 (`-m`). nil: in huge pages as much as it comes to
    /// need; without, where it is all there will be, 256 MiB.
    public var memory: Int?
    /// Where the file system for huge pages is mounted (`--huge-dir`); nil for anonymous memory, for which none has to
    /// be.
    public var hugepageDirectory: String?
    /// What the files of this process are called by, where it keeps some; no other process of DPDK may have the same
    /// then (`--file-prefix`).
    public var filePrefix: String
    /// The core that the EAL calls its main one (`--lcores`), 0 to 1023; nil for the first that this process may use.
    /// Workers run on cores of their own.
    public var mainCore: Int?
    /// Devices on PCI that drivers may take besides those of the interfaces (`--allow`), with what they are told. No
    /// driver takes any other.
    public var allow: [String]
    /// Devices on PCI that nobody here may take: an interface that is one of them, or one that is allowed, is refused.
    public var block: [String]
    /// Virtual devices besides those of the interfaces, which are made at the start (`--vdev`).
    public var vdevs: [String]
    /// Further arguments of the EAL, an option and its value each an element, or joined by `=`.
    public var extra: [String]
    /// Where the settings were written.
    public var map: SourceMap

    /// The defaults, unless other values are given.
    public init(
        hugepages: Bool = true, memory: Int? = nil, hugepageDirectory: String? = nil,
        filePrefix: String = "apus", mainCore: Int? = nil, allow: [String] = [],
        block: [String] = [], vdevs: [String] = [], extra: [String] = [], map: SourceMap = SourceMap()
    ) {
        self.hugepages = hugepages
        self.memory = memory
        self.hugepageDirectory = hugepageDirectory
        self.filePrefix = filePrefix
        self.mainCore = mainCore
        self.allow = allow
        self.block = block
        self.vdevs = vdevs
        self.extra = extra
        self.map = map
    }

    static func read(_ reader: inout ObjectReader) -> DPDKConfiguration {
        var result = DPDKConfiguration()
        reader.read("hugepages", into: &result.hugepages)
        reader.read("memory", into: &result.memory)
        reader.read("hugepageDirectory", into: &result.hugepageDirectory)
        reader.read("filePrefix", into: &result.filePrefix)
        reader.read("mainCore", into: &result.mainCore)
        result.allow = reader.array("allow", of: String.self) ?? []
        result.block = reader.array("block", of: String.self) ?? []
        result.vdevs = reader.array("vdevs", of: String.self) ?? []
        result.extra = reader.array("extra", of: String.self) ?? []
        result.map = reader.map
        return result
    }
}
