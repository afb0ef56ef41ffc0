/// What a worker does while no packets come.
public struct IdlePolicy: Sendable, BitwiseCopyable {
    /// How long it goes on polling after the last packet, in microseconds. 0 sleeps at once.
    public var spin: Int
    /// How long one sleep is at most, in milliseconds; the driver's descriptor ends it earlier. 0 never sleeps.
    public var sleep: Int32

    /// A policy. By default it spins for 50 µs and then sleeps for up to 10 ms.
    public init(spin: Int = 50, sleep: Int32 = 10) { (self.spin, self.sleep) = (spin, sleep) }
}
