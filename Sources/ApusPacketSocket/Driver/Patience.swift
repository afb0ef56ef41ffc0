import CLinux
import Glibc

/// How often a packet is offered again that the kernel says it has dropped.
///
/// ENOBUFS and ENOMEM of a packet socket mean that the kernel had no memory for the packet, or has made its buffer and
/// dropped it: `packet_snd` (net/packet/af_packet.c) makes ENOBUFS of the NET_XMIT_DROP of `dev_queue_xmit` and
/// `dev_direct_xmit`, and those consume the buffer whatever they return. Why it was dropped is not told. Where a queue is
/// full for a moment, to offer it again is back-pressure, and nothing is lost. Where a filter on egress, a
/// peer with a smaller MTU or, past the queueing discipline, a link without a carrier drops it each time, it would be in
/// the way of the others for ever. Only offers at different times tell them apart. (The queueing discipline of a link
/// without a carrier drops all it gets too, but says NET_XMIT_CN, of which `packet_snd` makes success.)
///
/// A packet gets eight offers, each 2.5 ms or more after the one before was refused: time in which we did not run does
/// not count, nor do 20 ms without an offer. Any number may be made in between; that one of them is
/// taken is what a full queue looks like. Each time that all were in vain, the next packet that is refused gets half as
/// many, until one is taken that was refused before: then it is eight again. After four packets in a row there are
/// none, and for a second whatever is refused is dropped at once. Then one packet gets one offer.
///
/// So where packets are always refused, each of them or one in two, that costs 38 ms and then 2.5 ms a second, or 15
/// flushes and then one a second if those are further apart. And a queue that is full loses nothing
/// as long as it takes a packet in 20 ms: one of 1500 bytes at 0.6 Mbit/s.
struct Patience {
    private static var most: Int { 8 }
    private static var interval: UInt64 { 2_500_000 }
    private static var rest: UInt64 { 1_000_000_000 }

    /// How many offers the next packet gets that is refused; 0 while there is a rest.
    private var allowed = most
    /// How many the one that waits still gets.
    private var left = 0
    /// From when on the next offer of it counts, nanoseconds of the monotonic clock; 0 while none waits.
    private var due: UInt64 = 0
    /// When the offer began that is being made, if one waits.
    private var began: UInt64 = 0
    private var restingUntil: UInt64 = 0

    /// The first packet is about to be offered.
    @inline(__always)
    mutating func begin() { if due != 0 { began = apus_clock(CLOCK_MONOTONIC) } }

    /// The first packet was refused.
    ///
    /// - Returns: whether it shall be dropped.
    mutating func isOver() -> Bool {
        if due != 0, began < due { return false }
        // Read after the refusal, as what counts of the next offer is when it began: whoever has the core in between,
        // two that count are never closer to each other than they should be.
        let now = apus_clock(CLOCK_MONOTONIC)
        if due == 0 {
            if allowed == 0 {
                if now < restingUntil { return true }
                allowed = 1
            }
            left = allowed
        } else {
            left -= 1
        }
        guard left == 0 else {
            due = now &+ Self.interval
            return false
        }
        due = 0
        allowed /= 2
        if allowed == 0 { restingUntil = now &+ Self.rest }
        return true
    }

    /// The first packet was taken.
    @inline(__always)
    mutating func succeed() {
        if due == 0 { return }
        due = 0
        allowed = Self.most
    }

    /// The first packet was dropped for another reason.
    mutating func forget() { due = 0 }
}
