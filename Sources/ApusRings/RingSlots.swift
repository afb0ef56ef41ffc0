/// The slots of a ring: `mask + 1` elements after the ring's index words, addressed by free-running indices.
///
/// Which slots are initialized is known to the ring alone, so all of this is unsafe: a caller has to have
/// reserved the slots that it names.
@unsafe @frozen @usableFromInline
struct RingSlots<Element: ~Copyable> {
    @usableFromInline let first: UnsafeMutablePointer<Element>
    @usableFromInline let mask: UInt

    @inlinable
    init(first: UnsafeMutablePointer<Element>, mask: UInt) {
        unsafe self.first = unsafe first
        unsafe self.mask = mask
    }

    /// The slot of a free-running index.
    @inlinable @inline(__always)
    subscript(index: UInt) -> UnsafeMutablePointer<Element> {
        unsafe first + Int(truncatingIfNeeded: index & mask)
    }

    /// How many of `count` slots from `index` on lie before the end of the memory.
    @inlinable @inline(__always)
    func run(from index: UInt, count: Int) -> Int {
        min(count, Int(truncatingIfNeeded: unsafe mask &+ 1 &- (index & mask)))
    }

    /// Moves `count` elements from `source` into the free slots from `index` on.
    @inlinable @inline(__always)
    func moveIn(at index: UInt, from source: UnsafeMutablePointer<Element>, count: Int) {
        let run = unsafe run(from: index, count: count)
        if run < count { return unsafe moveInRound(at: index, from: source, count: count, run: run) }
        unsafe moveElements(from: source, to: self[index], count: count)
    }

    /// Moves `count` elements out of the filled slots from `index` on to `destination`.
    @inlinable @inline(__always)
    func moveOut(at index: UInt, to destination: UnsafeMutablePointer<Element>, count: Int) {
        let run = unsafe run(from: index, count: count)
        if run < count { return unsafe moveOutRound(at: index, to: destination, count: count, run: run) }
        unsafe moveElements(from: self[index], to: destination, count: count)
    }

    // Round the end of the memory: once in a ring's length, so apart, to take no registers from the rest.

    @inlinable @inline(never)
    func moveInRound(at index: UInt, from source: UnsafeMutablePointer<Element>, count: Int, run: Int) {
        unsafe moveElements(from: source, to: self[index], count: run)
        unsafe moveElements(from: source + run, to: first, count: count &- run)
    }

    @inlinable @inline(never)
    func moveOutRound(at index: UInt, to destination: UnsafeMutablePointer<Element>, count: Int, run: Int) {
        unsafe moveElements(from: self[index], to: destination, count: run)
        unsafe moveElements(from: first, to: destination + run, count: count &- run)
    }

    /// Drops the elements in the filled slots from `index` up to `end`.
    @inlinable
    func drop(from index: UInt, to end: UInt) {
        var index = index
        while index != end {
            unsafe self[index].deinitialize(count: 1)
            index &+= 1
        }
    }
}

extension RingSlots where Element: BitwiseCopyable {
    /// Copies `count` elements from `source` into the free slots from `index` on.
    @inlinable @inline(__always)
    func copyIn(at index: UInt, from source: UnsafePointer<Element>, count: Int) {
        unsafe moveIn(at: index, from: UnsafeMutablePointer(mutating: source), count: count)
    }
}

/// Stops the program; apart, for its text: that of a `precondition` is left out of release builds.
@usableFromInline @inline(never)
func stopForRoom() -> Never {
    fatalError("what is taken out of a ring in bulk has to have room in the destination")
}

/// Moves `count` elements between places that do not overlap.
///
/// A burst is at most a few hundred bytes, for which the call of `memcpy` costs more than the copy. Four
/// elements are read before one is written, so that the compiler may use vector moves without proving that
/// the places do not overlap.
@inlinable @inline(__always)
func moveElements<Element: ~Copyable>(
    from source: UnsafeMutablePointer<Element>, to destination: UnsafeMutablePointer<Element>, count: Int
) {
    var index = 0
    while index &+ 4 <= count {
        let from = unsafe source + index
        let to = unsafe destination + index
        let first = unsafe from.move()
        let second = unsafe (from + 1).move()
        let third = unsafe (from + 2).move()
        let fourth = unsafe (from + 3).move()
        unsafe to.initialize(to: first)
        unsafe (to + 1).initialize(to: second)
        unsafe (to + 2).initialize(to: third)
        unsafe (to + 3).initialize(to: fourth)
        index &+= 4
    }
    while index < count {
        unsafe (destination + index).initialize(to: (source + index).move())
        index &+= 1
    }
}
