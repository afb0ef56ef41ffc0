public import Synchronization

/// The start of an ``MPMCRing``'s memory; the slots follow.
@usableFromInline
struct MPMCHeader: ~Copyable {
    /// Head: the index after the newest slot reserved to be filled. Tail: the index after the newest filled.
    @usableFromInline let producers = RingWordPair()
    /// Head: the index after the newest slot reserved to be emptied. Tail: the index after the newest emptied.
    @usableFromInline let consumers = RingWordPair()
    /// How many handles live: the last to go frees the memory.
    @usableFromInline let handles = RingWord(1)

    @usableFromInline init() {}

    /// Allocates an empty ring's memory.
    @inlinable
    static func make<Element: ~Copyable>(
        slotsFor element: Element.Type, capacity: UInt
    ) -> UnsafeMutablePointer<MPMCHeader> {
        precondition(
            MemoryLayout<Element>.alignment <= cacheLineStride, "an element's alignment is at most 128")
        let slots = MemoryLayout<Element>.stride * Int(capacity)
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<MPMCHeader>.size + slots, alignment: cacheLineStride)
        let header = unsafe memory.bindMemory(to: MPMCHeader.self, capacity: 1)
        unsafe header.initialize(to: MPMCHeader())
        unsafe (memory + MemoryLayout<MPMCHeader>.size).bindMemory(to: Element.self, capacity: Int(capacity))
        return unsafe header
    }

    /// The slots after `header`.
    @inlinable @inline(__always)
    static func slots<Element: ~Copyable>(
        of header: UnsafeMutablePointer<MPMCHeader>, mask: UInt
    ) -> RingSlots<Element> {
        let first = unsafe UnsafeMutableRawPointer(header) + MemoryLayout<MPMCHeader>.size
        return unsafe RingSlots(first: first.assumingMemoryBound(to: Element.self), mask: mask)
    }
}

extension RingWordPair {
    /// Reserves up to `wanted` slots by moving the head, and says from which index on and how many.
    ///
    /// - Parameters:
    ///   - wanted: how many slots, more than 0.
    ///   - least: how many at least; otherwise none.
    ///   - peer: the other side, whose tail limits how far the head may go.
    ///   - ahead: how far the head may be ahead of that tail: the capacity for producers, 0 for consumers.
    ///   - known: the peer's tail as last loaded, brought up to date when it does not suffice.
    @inlinable @inline(__always)
    func reserve(
        _ wanted: Int, atLeast least: Int, behind peer: borrowing RingWordPair, ahead: UInt, known: inout UInt
    ) -> (index: UInt, count: Int) {
        var index = head.load(ordering: .relaxed)
        while true {
            // Signed, as others may have moved the head past what this thread knows of the peer's tail. A
            // tail known too early only makes the room look smaller, and then it is loaded anew. A head
            // read too early makes it look greater, and then the compare-and-swap fails.
            var room = Int(truncatingIfNeeded: known &+ ahead &- index)
            if room < wanted {
                // Acquiring, so that what the peer did to the slots comes before what this thread does.
                known = peer.tail.load(ordering: .acquiring)
                room = Int(truncatingIfNeeded: known &+ ahead &- index)
            }
            // A branch rather than a minimum: predicted, it lets what follows go on without the loads above.
            var count = wanted
            if room < wanted {
                count = room
                if count < least || count <= 0 {
                    let now = head.load(ordering: .relaxed)
                    // Full or empty is only true of the head as it is; an outdated one was compared otherwise.
                    if now == index { return (index, 0) }
                    index = now
                    continue
                }
            }
            let (exchanged, original) = head.weakCompareExchange(
                expected: index, desired: index &+ UInt(truncatingIfNeeded: count), ordering: .relaxed)
            if exchanged { return (index, count) }
            index = original
        }
    }

    /// Shows the other side the `count` slots reserved at `index`, after those who reserved before.
    @inlinable @inline(__always)
    func publish(_ index: UInt, _ count: Int) {
        // Acquiring, so that storing our tail also releases what those before us did to their slots.
        if tail.load(ordering: .acquiring) != index { waitForTurn(index) }
        tail.store(index &+ UInt(truncatingIfNeeded: count), ordering: .releasing)
    }
    /// Waits until those who reserved before `index` have published. Apart, so that its variables take no
    /// registers from the loop it is called in.
    @usableFromInline @inline(never)
    func waitForTurn(_ index: UInt) {
        var step: UInt = 0
        repeat { waitForPeer(&step) } while tail.load(ordering: .acquiring) != index
    }
}
