/// How packets get in and out of an interface.
public enum BackendChoice: String, ConfigurationWord {
    /// AF_XDP where it can be had, else AF_PACKET; what was granted is said.
    case auto
    /// AF_XDP, or an error.
    case xdp
    /// AF_PACKET, or an error.
    case packet
    /// A driver of DPDK, which takes the device from the kernel; for interfaces of their own with addresses.
    case dpdk

    /// Whether it is AF_XDP or may come to it.
    public var mayBeXDP: Bool { self == .auto || self == .xdp }
    /// Whether it is AF_PACKET or may come to it.
    public var mayBePacket: Bool { self == .auto || self == .packet }
    /// Those that open an interface of the kernel.
    public static let ofKernel: [BackendChoice] = [.auto, .xdp, .packet]
}

/// Where the kernel runs the XDP program of AF_XDP.
public enum ModeChoice: String, ConfigurationWord {
    /// In the driver where it can, else in the generic hook; what was granted is said.
    case auto
    /// In the driver, or an error.
    case native
    /// In the generic hook, behind the allocation of a socket buffer.
    case generic
}

/// Whether something faster is to be had, must be had, or must not be used.
public enum Requirement: String, ConfigurationWord {
    /// Use it where it is granted, and say so where it is not.
    case auto
    /// An error where it is not granted.
    case require
    /// Do not even ask.
    case never
}

/// Busy polling of an AF_XDP socket (SO_PREFER_BUSY_POLL, SO_BUSY_POLL, SO_BUSY_POLL_BUDGET of socket(7)).
public struct BusyPollConfiguration: Hashable, Sendable {
    /// How long a system call polls the device, in microseconds: 1 to 10,000.
    public var microseconds: Int
    /// How many packets one such poll handles at most: 1 to 65,535.
    public var budget: Int
    /// Where the settings were written.
    public var map: SourceMap

    /// Busy polling with the kernel's customary figures, unless others are given.
    public init(microseconds: Int = 20, budget: Int = 64, map: SourceMap = SourceMap()) {
        (self.microseconds, self.budget, self.map) = (microseconds, budget, map)
    }
}

/// How a port on an interface is opened. Each bound has a default.
public struct PortConfiguration: Hashable, Sendable {
    /// Which driver.
    public var backend: BackendChoice
    /// Where the XDP program runs.
    public var mode: ModeChoice
    /// Whether the device writes straight into the frames.
    public var zeroCopy: Requirement
    /// Whether the frames are in huge pages.
    public var hugepages: Requirement
    /// How many receive queues the device must have, 1 to 256; nil means any number. All are used, since what
    /// comes by one without a socket would be lost. Over DPDK so many are set up; nil means one for each worker.
    public var queues: Int?
    /// Descriptors in each ring of a queue: a power of two from 64 to 65,536 with AF_XDP, and to 32,768 with
    /// AF_PACKET, DPDK, or where the backend is yet to be found.
    public var ringSize: Int
    /// The size of a frame with its headroom, in bytes: 2048 or 4096.
    public var frameSize: Int
    /// How many frames the pool of each queue has, from twice ``ringSize`` (256 at least) to 1,048,576; nil
    /// means four for each descriptor of a ring, at least 512; see ``framesPerQueue``. All queues that
    /// share a memory have 1,048,576 together at most.
    public var frames: Int?
    /// Busy polling, or nil for none.
    public var busyPoll: BusyPollConfiguration?
    /// The device and all that is said of an interface over DPDK, which has no mode, zero-copy, huge pages and busy
    /// polling to be chosen; nil for those of the kernel.
    public var dpdk: DPDKPortConfiguration?
    /// Where the settings were written.
    public var map: SourceMap

    /// The defaults, unless other values are given.
    public init(
        backend: BackendChoice = .auto, mode: ModeChoice = .auto, zeroCopy: Requirement = .auto,
        hugepages: Requirement = .auto, queues: Int? = nil, ringSize: Int = 2048, frameSize: Int = 2048,
        frames: Int? = nil, busyPoll: BusyPollConfiguration? = nil, dpdk: DPDKPortConfiguration? = nil,
        map: SourceMap = SourceMap()
    ) {
        self.backend = backend
        self.mode = mode
        self.zeroCopy = zeroCopy
        self.hugepages = hugepages
        self.queues = queues
        self.ringSize = ringSize
        self.frameSize = frameSize
        self.frames = frames
        self.busyPoll = busyPoll
        self.dpdk = dpdk
        self.map = map
    }

    /// How many frames the pool of each queue gets: ``frames``, or so many that the four rings can be full at once,
    /// and at least 512, so that packets which are held back have room beside small rings.
    public var framesPerQueue: Int { frames ?? max(512, 4 * ringSize) }

    /// Those of them that the rings leave: as many are kept ready to receive as a ring has descriptors, and as many
    /// may wait to be sent.
    var framesToSpare: Int { framesPerQueue - 2 * ringSize }
}

/// One interface and how its port is opened.
public struct InterfaceConfiguration: Hashable, Sendable {
    /// The kernel's name of the interface, such as `eth0`; over DPDK the name of its device.
    public var name: String
    /// How its port is opened.
    public var port: PortConfiguration
    /// Where it was written.
    public var map: SourceMap

    /// Joins a name and the way its port is opened.
    public init(name: String, port: PortConfiguration = PortConfiguration(), map: SourceMap = SourceMap()) {
        (self.name, self.port, self.map) = (name, port, map)
    }

    /// An interface over DPDK, called as its device is.
    public init(_ dpdk: DPDKPortConfiguration, port: PortConfiguration = PortConfiguration()) {
        var port = port
        (port.backend, port.dpdk) = (.dpdk, dpdk)
        self.init(name: dpdk.device.name, port: port, map: dpdk.map)
    }
}
