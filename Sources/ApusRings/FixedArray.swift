public import CLinux
import Glibc

/// An array whose length is set when it is made, and whose elements may be noncopyable.
///
/// For state that a worker owns for its life: one allocation at the start, then no reference
/// counting, no uniqueness check and no growth, only the bounds check. Not for anything that is
/// passed round or grows; that is what `Array` is for.
///
/// It begins at a cache line, so that elements of a power of two, or of whole lines, lie in as few lines as they can. From
/// 2 MiB on it lies in huge pages where the kernel has some.
@safe
@frozen
public struct FixedArray<Element: ~Copyable>: ~Copyable {
    @usableFromInline let elements: UnsafeMutablePointer<Element>
    /// The number of elements.
    public let count: Int

    /// Makes `count` elements, each by a call of `element` with its position.
    @inlinable
    public init<Failure: Error>(
        count: Int, _ element: (Int) throws(Failure) -> Element
    ) throws(Failure) {
        precondition(count >= 0)
        let elements = unsafe tableMemory(
            byteCount: count * MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment
        ).bindMemory(to: Element.self, capacity: count)
        var made = 0
        do throws(Failure) {
            while made < count {
                unsafe (elements + made).initialize(to: try element(made))
                made += 1
            }
        } catch {
            unsafe elements.deinitialize(count: made)
            unsafe elements.deallocate()
            throw error
        }
        unsafe self.elements = elements
        self.count = count
    }

    @inlinable
    deinit {
        unsafe elements.deinitialize(count: count)
        unsafe elements.deallocate()
    }

    /// Makes an array of the same length of what `transform` makes of each element and its position.
    @inlinable
    public consuming func map<Other: ~Copyable>(
        _ transform: (Int, consuming Element) -> Other
    ) -> FixedArray<Other> {
        let (elements, count) = unsafe (elements, count)
        discard self
        let made = FixedArray<Other>(count: count) { position in
            // Sound: each of them is moved out once, and nobody else has them any more.
            transform(position, unsafe (elements + position).move())
        }
        unsafe elements.deallocate()
        return made
    }

    /// The first `count` elements, at most all, to be gone through: one look at where they are for all of them.
    @inlinable @inline(__always)
    @_lifetime(&self)
    public mutating func mutableSpan(ofFirst count: Int) -> MutableSpan<Element> {
        precondition(count >= 0 && count <= self.count)
        // Sound: so many elements are there, and the span can't outlive the exclusive access to this array.
        let span = unsafe MutableSpan(_unsafeStart: elements, count: count)
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// Asks for the cache line that an element begins in, or one behind it, before it is needed. One instruction, which
    /// waits for nothing; a position that is not there does no harm.
    @inlinable @inline(__always)
    public func prefetch(_ position: Int, line: Int = 0) {
        // Sound: the address is not followed.
        let offset = position &* MemoryLayout<Element>.stride &+ line &* 64
        unsafe apus_prefetch(UnsafeRawPointer(bitPattern: Int(bitPattern: elements) &+ offset))
    }

    /// The positions of its elements.
    @inlinable
    public var indices: Range<Int> { unsafe Range(uncheckedBounds: (0, count)) }

    /// The element at a position from 0 to ``count`` - 1, in place.
    @inlinable
    public subscript(_ position: Int) -> Element {
        unsafeAddress {
            precondition(contains(position))
            return unsafe UnsafePointer(elements + position)
        }
        unsafeMutableAddress {
            precondition(contains(position))
            return unsafe elements + position
        }
    }

    /// Whether there is that position: one comparison, as a negative number is a large one without a sign.
    @inlinable @inline(__always)
    func contains(_ position: Int) -> Bool { UInt(bitPattern: position) < UInt(bitPattern: count) }
}

extension FixedArray where Element: BitwiseCopyable {
    /// Makes `count` copies of `element`.
    @inlinable
    public init(repeating element: Element, count: Int) {
        self.init(count: count) { _ in element }
    }
}

// The array alone leads to its elements, and changing them needs exclusive access to it.
extension FixedArray: @unchecked Sendable where Element: Sendable & ~Copyable {}

/// Memory for the elements of an array; ``FixedArray``'s deallocation gives it back.
@usableFromInline
func tableMemory(byteCount: Int, alignment: Int) -> UnsafeMutableRawPointer {
    let hugePage = 2 << 20
    if byteCount < hugePage {
        return UnsafeMutableRawPointer.allocate(
            byteCount: byteCount, alignment: max(alignment, cacheLineStride))
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: hugePage)
    // Only a wish: with small pages it works too, but for a look-up of where they are with nearly each look.
    unsafe _ = madvise(memory, byteCount / hugePage * hugePage, MADV_HUGEPAGE)
    return unsafe memory
}
