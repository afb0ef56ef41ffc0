/// What a worker does while no packets come: it looks again and again, with a PAUSE between, and then sleeps until the driver
/// wakes it.
///
/// From always spinning (``sleep`` 0) to never (``spin`` 0). At 1,000 packets a second the default takes less than a tenth of
/// a core, half of it for spinning; Docs/Performance.md has what each policy adds to the latency.
public struct IdlePolicy: Sendable, BitwiseCopyable {
    /// How long it goes on polling after the last packet, in microseconds. 0 sleeps at once.
    public var spin: Int
    /// How long one sleep is at most, in milliseconds; the driver's descriptor ends it earlier. 0 never sleeps.
    public var sleep: Int32

    /// A policy. By default it spins for 25 µs and then sleeps for up to 10 ms.
    public init(spin: Int = 25, sleep: Int32 = 10) { (self.spin, self.sleep) = (spin, sleep) }
}
