import Glibc

/// How long a packet is offered again that the kernel says it has dropped.
///
/// ENOBUFS and ENOMEM of a packet socket mean that the kernel had no memory for the packet, or has made its buffer and
/// dropped it: `packet_snd` (net/packet/af_packet.c) makes ENOBUFS of the NET_XMIT_DROP of `dev_queue_xmit` and
/// `dev_direct_xmit`, and those consume the buffer whatever they return. Why it was dropped is not told. Where a queue is
/// full for a moment, to offer it again is back-pressure, and nothing is lost. Where a filter on egress, a
/// peer with a smaller MTU or a link without a carrier drops it each time, it would be in the way of the others for
/// ever. Only time tells them apart.
///
/// Once waiting was in vain, whatever is refused is dropped at once for a while: where a filter drops
/// every other packet, the others lose a fiftieth of the time, and not 20 ms each.
struct Patience {
    /// A packet of 1500 bytes by a queue of 0.6 Mbit/s.
    private static var longestWait: UInt64 { 20_000_000 }
    private static var rest: UInt64 { 1_000_000_000 }

    /// When the packet that waits was refused first; 0 while none does. Nanoseconds, as below.
    private var since: UInt64 = 0
    /// Until when none is waited with.
    private var restingUntil: UInt64 = 0

    /// Whether the packet that was refused now shall be dropped.
    mutating func isOver() -> Bool {
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
        let now = UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
        if now < restingUntil { return true }
        if since == 0 { since = now }
        if now &- since < Self.longestWait { return false }
        since = 0
        restingUntil = now &+ Self.rest
        return true
    }

    /// The packet was taken, or dropped for another reason.
    @inline(__always)
    mutating func forget() { since = 0 }
}
