/// A token bucket whose tokens are nanoseconds: each event costs what it takes to refill one.
struct TokenBucket: BitwiseCopyable {
    /// What an event costs; 0 when there are to be none.
    private let cost: UInt64
    private let capacity: UInt64
    private var tokens: UInt64
    private var last: UInt64

    /// A full bucket.
    init(_ limit: RateLimit, at now: UInt64) {
        cost = limit.perSecond == 0 ? 0 : max(1, 1_000_000_000 / UInt64(limit.perSecond))
        capacity = cost * UInt64(limit.burst)
        (tokens, last) = (capacity, now)
    }

    /// Takes a token if there is one.
    mutating func take(at now: UInt64) -> Bool {
        // Time that passed refills at most the whole bucket, so nothing can overflow.
        tokens = min(capacity, tokens + min(now &- last, capacity))
        last = now
        guard cost > 0, tokens >= cost else { return false }
        tokens -= cost
        return true
    }
}
