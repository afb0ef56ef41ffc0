/// Parsing or writing the headers of RTP packets in Ethernet frames, from Ethernet to RTP. The twin that does the same
/// is Benchmarks/Twins/wire.c.
public struct WireSubject: Sendable {
    /// What is done.
    public enum Work: String, Sendable, CaseIterable {
        /// Find and check all headers.
        case parse
        /// Write all headers.
        case encode
    }

    /// What is done.
    public let work: Work
    /// The octets of an RTP packet, its header included.
    public let size: Int

    /// The sizes that are measured. The last is the most that UDP over IPv4 carries.
    public static let sizes = [64, 1500, 8192, 65507]

    /// That work on packets of that size.
    public init(work: Work, size: Int) { (self.work, self.size) = (work, size) }

    /// All of them.
    public static var all: [WireSubject] {
        Work.allCases.flatMap { work in sizes.map { WireSubject(work: work, size: $0) } }
    }

    /// What is measured.
    public var subject: Subject {
        Subject("wire/\(work.rawValue)/\(size)", per: "packet") {
            Competitor("Apus", run: run(on: WireFrames(payload: size)))
        }
    }

    /// It on those frames.
    public func run(on frames: WireFrames) -> (_ repeats: Int) -> Int {
        switch work {
        case .parse: frames.parse
        case .encode: frames.encode
        }
    }
}
