/// One of the programs that do the same work.
public struct Competitor {
    /// Who it is: `Apus`, `rte_ring`, `C`. One whose options matter has them behind its name: `testpmd 5tswap`.
    public let name: String
    let work: Work

    enum Work {
        case repeated((Int) -> Int)
        case once(prepare: () throws -> Void, run: () throws -> Int)
        case timed(() throws -> (count: Int, nanoseconds: Double))
    }

    /// One that does its work as many times over as fill a round, and says how many elements or packets that
    /// were. It is timed from outside.
    public init(_ name: String, run: @escaping (_ repeats: Int) -> Int) {
        (self.name, work) = (name, .repeated(run))
    }

    /// One that can work only once between two preparations: in each round `prepare` is called, then `run` is
    /// timed, and says how many packets it did. The first round warms up and is not counted.
    public init(
        _ name: String, prepare: @escaping () throws -> Void, run: @escaping () throws -> Int
    ) {
        (self.name, work) = (name, .once(prepare: prepare, run: run))
    }

    /// One that takes the time itself, once a round: a child process, or one whose round has parts that are not to be
    /// timed. It says how many packets, and how many nanoseconds for all of them. Instructions are not counted. The first
    /// round warms up and is not counted.
    public init(_ name: String, timing: @escaping () throws -> (count: Int, nanoseconds: Double)) {
        (self.name, work) = (name, .timed(timing))
    }
}

/// Why a measurement can't go on.
public struct BenchError: Error, CustomStringConvertible {
    /// A sentence without a full stop.
    public let description: String

    /// An error with that reason.
    public init(_ description: String) { self.description = description }
}
