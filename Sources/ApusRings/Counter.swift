public import Synchronization

/// A number that one thread counts up and any thread may read.
///
/// Reading never tears nor slows the writer: both sides are relaxed loads and stores, which on
/// x86 and ARM are plain ones.
@frozen
public struct Counter: ~Copyable, Sendable {
    @usableFromInline let word = Atomic<UInt64>(0)

    /// A counter at 0.
    @inlinable
    public init() {}

    /// What it stands at.
    @inlinable
    public var value: UInt64 { word.load(ordering: .relaxed) }

    /// Counts. Only for the one thread that writes it.
    @inlinable
    public func add(_ amount: UInt64 = 1) { word.store(value &+ amount, ordering: .relaxed) }

    /// Sets it, for figures that are computed elsewhere. Only for the one thread that writes it.
    @inlinable
    public func set(_ value: UInt64) { word.store(value, ordering: .relaxed) }
}
