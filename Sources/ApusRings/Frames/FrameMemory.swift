import CNUMA
import Glibc
import Synchronization

/// A mapping cut into slots of one size, from which pools are made.
///
/// It can be registered with the kernel as a UMEM, so that all ports over it exchange frames
/// without copying. It lives as long as a pool, a port or a packet of it does.
@safe
public final class FrameMemory: Sendable {
    /// The size of each slot.
    public let frameSize: FrameSize
    /// The number of slots.
    public let slotCount: Int
    /// What pages it got, and why not others; of several parts the first one's.
    public let grant: MemoryGrant
    /// The first byte, aligned to a page.
    @unsafe public nonisolated(unsafe) let base: UnsafeMutableRawPointer
    /// The length of the mapping, in bytes.
    public let byteCount: Int
    /// The slots of a part that no pool has yet, and what the part was granted.
    private struct Rest {
        var free: Range<Int>
        let grant: MemoryGrant
    }
    private let parts: Mutex<[Rest]>
    /// The longest packet that one of its frames holds with the default headroom, in bytes.
    package let frameCapacity: Int
    /// Whether it is a library's, with frames of the library's own.
    package let isForeign: Bool
    /// Whether there is a pool of a foreign memory's frames.
    let isLent = Atomic<Bool>(false)

    /// Maps memory for `frames` frames.
    ///
    /// Each page is touched here, so that no fault is left for the data path.
    /// - Parameters:
    ///   - frames: how many frames, at least 1.
    ///   - hugePages: whether 2 MiB pages are wanted. With `.preferred` the mapping falls back to
    ///     normal pages, and ``grant`` says why.
    ///   - node: the NUMA node to place it on, if that has free pages; ``grant`` says where it lies. `nil` is the node of the first thread to touch it.
    public convenience init(
        frames: Int, frameSize: FrameSize = .bytes2048, hugePages: HugePages = .preferred, node: Int? = nil
    ) throws(MemoryError) {
        try self.init(parts: [Part(frames: frames, node: node)], frameSize: frameSize, hugePages: hugePages)
    }

    /// So many frames on one NUMA node.
    public struct Part: Sendable {
        /// How many, at least 1.
        public var frames: Int
        /// The node; `nil` is that of the first thread to touch them.
        public var node: Int?

        /// So many there.
        public init(frames: Int, node: Int?) { (self.frames, self.node) = (frames, node) }
    }

    /// Maps memory of which each part lies on a node of its own, so that what a worker uses can be near it.
    ///
    /// Parts of the same node become one. Where there are several each is rounded up to whole pages of 2 MiB.
    public init(
        parts wanted: [Part], frameSize: FrameSize = .bytes2048, hugePages: HugePages = .preferred
    ) throws(MemoryError) {
        let parts = try Self.joined(wanted, frameSize)
        let frames = parts.reduce(0) { $0 + $1.frames }
        let mapping = try Mapping(byteCount: frames * frameSize.rawValue, hugePages: hugePages)
        var rests: [Rest] = []
        for part in parts {
            let first = rests.last?.free.upperBound ?? 0
            let slots = first..<first + part.frames
            let offset = first * frameSize.rawValue
            let end = slots.upperBound == frames ? mapping.byteCount : slots.upperBound * frameSize.rawValue
            // Sound: the mapping has that many bytes, and the kernel only notes where its pages are to come from.
            let refusal =
                part.node.map { unsafe apus_prefer_node(mapping.base + offset, end - offset, Int32($0)) } ?? 0
            unsafe (mapping.base + offset).initializeMemory(as: UInt8.self, repeating: 0, count: end - offset)
            rests.append(
                Rest(
                    free: slots,
                    grant: MemoryGrant(
                        requested: hugePages, pages: mapping.pages, reason: mapping.reason,
                        // Sound: asks for the page of an address that was touched.
                        requestedNode: part.node, node: unsafe apus_node_of(mapping.base + offset),
                        refusal: refusal)))
        }
        self.frameSize = frameSize
        slotCount = frames
        unsafe base = mapping.base
        byteCount = mapping.byteCount
        (frameCapacity, isForeign) = (frameSize.capacity, false)
        grant = rests[0].grant
        self.parts = Mutex(rests)
    }

    /// One part for each node.
    private static func joined(_ parts: [Part], _ frameSize: FrameSize) throws(MemoryError) -> [Part] {
        var joined: [Part] = []
        for part in parts {
            guard part.frames > 0, part.frames <= maximumFrames else {
                throw .badFrameCount(part.frames, maximum: maximumFrames)
            }
            if let node = part.node, numa_available() < 0 || node < 0 || node > numa_max_node() {
                throw .noSuchNode(node, highest: numa_available() < 0 ? 0 : Int(numa_max_node()))
            }
            if let same = joined.firstIndex(where: { $0.node == part.node }) {
                joined[same].frames += part.frames
            } else {
                joined.append(part)
            }
        }
        if joined.count > 1 {
            let unit = Mapping.hugePage / frameSize.rawValue
            for part in joined.indices {
                joined[part].frames = (joined[part].frames + unit - 1) / unit * unit
            }
        }
        let frames = joined.reduce(0) { $0 + $1.frames }
        guard frames > 0, frames <= maximumFrames else {
            throw .badFrameCount(frames, maximum: maximumFrames)
        }
        return joined
    }

    /// Memory that a library mapped and cut into `frames` frames of its own, and unmaps. Its pool is that of a
    /// ``ForeignFrames``.
    @unsafe
    package init(
        foreign base: UnsafeMutableRawPointer, frames: Int, frameCapacity: Int, grant: MemoryGrant
    ) {
        (frameSize, slotCount, byteCount) = (.bytes2048, frames, 0)
        unsafe self.base = unsafe base
        (self.frameCapacity, isForeign, self.grant) = (frameCapacity, true, grant)
        parts = Mutex([Rest(free: frames..<frames, grant: grant)])
    }

    deinit {
        if !isForeign { unsafe _ = munmap(base, byteCount) }
    }

    /// The most frames one memory can have: 4 GiB of the larger ones.
    public static let maximumFrames = 1 << 20

    /// Takes `frames` of the slots that no pool has yet, as a pool of their own.
    ///
    /// - Parameters:
    ///   - frames: how many, at least 1.
    ///   - node: the NUMA node of the part to take them from; from another where that has too few left, or where it
    ///     is `nil`.
    public func makePool(frames: Int, node: Int? = nil) throws(MemoryError) -> FramePool {
        let first = parts.withLock { parts -> Int? in
            func fits(_ part: Rest) -> Bool { frames > 0 && frames <= part.free.count }
            guard
                let part = parts.firstIndex(where: { fits($0) && $0.grant.requestedNode == node })
                    ?? parts.firstIndex(where: fits)
            else { return nil }
            let first = parts[part].free.lowerBound
            parts[part].free = first + frames..<parts[part].free.upperBound
            return first
        }
        guard let first else {
            throw .notEnoughSlots(
                wanted: frames, free: parts.withLock { $0.map(\.free.count).max() ?? 0 })
        }
        return FramePool(memory: self, firstSlot: first, count: frames)
    }

    /// What the part of a pool was granted.
    public func grant(of pool: borrowing FramePool) -> MemoryGrant {
        let slot = pool.firstSlot
        return parts.withLock { $0.first { slot < $0.free.upperBound }?.grant } ?? grant
    }
}

/// Whether frames shall lie in 2 MiB pages.
public enum HugePages: String, Sendable, CaseIterable {
    /// Take them when the host has some free, else normal pages.
    case preferred
    /// Fail without them.
    case required
    /// Normal pages.
    case never
}

/// The pages that a ``FrameMemory`` got.
public struct MemoryGrant: Sendable {
    /// The kinds of page.
    public enum Pages: String, Sendable {
        /// 2 MiB each.
        case huge2MiB = "2 MiB"
        /// As large as the kernel's own, mostly 4 KiB each.
        case normal = "normal"
    }
    /// What was asked for.
    public let requested: HugePages
    /// What it got.
    public let pages: Pages
    /// Why the pages are not what was asked for; `nil` when they are.
    public let reason: String?
    /// The NUMA node that was asked for.
    public let requestedNode: Int?
    /// The NUMA node that its first page lies on; `nil` when the kernel does not say.
    public let node: Int?
    /// Why that is not the one that was asked for; `nil` when it is, or none was.
    public let nodeReason: String?

    /// - Parameters:
    ///   - node: below 0 an error number, negated.
    ///   - refusal: the error number of the request for a node, or 0.
    package init(
        requested: HugePages, pages: Pages, reason: String?, requestedNode: Int?, node: Int32, refusal: Int32
    ) {
        (self.requested, self.pages, self.reason) = (requested, pages, reason)
        self.requestedNode = requestedNode
        self.node = node >= 0 ? Int(node) : nil
        nodeReason =
            if let requestedNode, self.node != requestedNode {
                // strerror(3) gives a constant or the thread's own text, which is copied at once.
                if refusal != 0 {
                    unsafe "mbind: \(String(cString: strerror(refusal)))"
                } else if node < 0 {
                    unsafe "the kernel does not say where the pages lie: \(String(cString: strerror(-node)))"
                } else {
                    "that node had no free pages"
                }
            } else {
                nil
            }
    }
}

/// Why frames could not be had.
public enum MemoryError: Error, Equatable, CustomStringConvertible {
    /// No frames, or more than the maximum.
    case badFrameCount(Int, maximum: Int)
    /// A NUMA node that the host does not have; its nodes are numbered from 0.
    case noSuchNode(Int, highest: Int)
    /// A pool of more slots than no pool has yet, or of none.
    case notEnoughSlots(wanted: Int, free: Int)
    /// Huge pages of 2 MiB were required, and the kernel gave none; `reserved` is how many it has set aside in all, and
    /// `cause` is its error.
    case noHugePages(wanted: Int, reserved: Int, cause: String)
    /// The kernel gave no memory; `cause` is its error.
    case noMemory(bytes: Int, cause: String)

    /// The cause, and the way out where there is one.
    public var description: String {
        switch self {
        case .badFrameCount(let count, let maximum):
            "a frame memory has between 1 and \(maximum) frames, not \(count)"
        case .noSuchNode(let node, let highest):
            "there is no NUMA node \(node); the highest is \(highest)"
        case .notEnoughSlots(let wanted, let free):
            "\(wanted) frames were asked of a memory that has \(free) left; make the memory larger"
        case .noHugePages(let wanted, let reserved, let cause):
            """
            \(wanted) free huge pages of 2 MiB are needed: \(cause); \
            reserve them with: sysctl -w vm.nr_hugepages=\(reserved + wanted)
            """
        case .noMemory(let bytes, let cause):
            "\(bytes) bytes for frames could not be mapped: \(cause)"
        }
    }
}

extension Mapping {
    /// How many huge pages of 2 MiB the kernel has set aside, free or in use; 0 where it does not tell.
    fileprivate static var reservedHugePages: Int {
        let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        return kernelNumber(path)
    }
}

/// An anonymous mapping, in huge pages where wanted and there.
@safe
private struct Mapping {
    var base: UnsafeMutableRawPointer
    var byteCount: Int
    var pages: MemoryGrant.Pages
    var reason: String?

    /// The size of a huge page, in bytes.
    static let hugePage = 2 << 20

    init(byteCount: Int, hugePages: HugePages) throws(MemoryError) {
        let protection = PROT_READ | PROT_WRITE
        let huge = Self.hugePage
        let rounded = (byteCount + huge - 1) / huge * huge
        reason = nil
        pages = .huge2MiB
        if hugePages != .never {
            // MAP_HUGE_2MB: the page size's logarithm, shifted by MAP_HUGE_SHIFT (mmap(2)).
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26
            let address = unsafe mmap(nil, rounded, protection, flags, -1, 0)
            if unsafe address != MAP_FAILED {
                unsafe base = address!
                self.byteCount = rounded
                return
            }
            let cause = unsafe String(cString: strerror(errno))
            if hugePages == .required {
                throw .noHugePages(wanted: rounded / huge, reserved: Self.reservedHugePages, cause: cause)
            }
            reason = "no \(rounded / huge) free 2 MiB pages (\(cause)); vm.nr_hugepages reserves them"
        }
        let address = unsafe mmap(nil, rounded, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe address != MAP_FAILED else {
            throw .noMemory(bytes: rounded, cause: unsafe String(cString: strerror(errno)))
        }
        unsafe base = address!
        self.byteCount = rounded
        pages = .normal
    }
}
