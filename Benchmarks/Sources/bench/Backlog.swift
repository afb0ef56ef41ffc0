import ApusBench

/// A forwarder over ports in memory of which nothing but the forwarder is timed: who sends to it and who takes out what
/// it has sent do so before and after.
protocol BackloggedForwarder: AnyObject {
    /// Packets sent so far.
    var sent: Int { get }
    /// Puts so many packets into the receive ring.
    func fill(_ count: Int)
    /// Forwards them, and says how many came.
    func work(_ count: Int) -> Int
    /// Takes out what was sent.
    func drain()
}

extension BackloggedForwarder {
    /// Some backlogs, one after the other: how many packets, and how long it took to forward them, of which each goes to
    /// `fanOut` destinations.
    ///
    /// A backlog is as many packets as fit the nearer caches, with their copies, and so many that the two looks at the
    /// clock don't count beside them.
    func round(_ stopwatch: Stopwatch, fanOut: Int = 1) -> (count: Int, nanoseconds: Double) {
        let (size, backlogs) = (256, 4)
        let before = sent
        var (count, time) = (0, 0.0)
        for _ in 0..<backlogs {
            fill(size)
            time += stopwatch.measure { count += work(size) }.nanoseconds
            drain()
        }
        precondition(count == size * backlogs && sent - before == count * fanOut, "packets were lost")
        return (count, time)
    }
}
