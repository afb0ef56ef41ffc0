/// What an XDP program is to those that it calls by a PROG_ARRAY. The kernel puts only such programs into one that are like
/// the program that has it.
package enum TailCaller: Hashable, Sendable {
    /// It is on its interface by itself, and was loaded with support for frames of several buffers or without.
    case alone(takesFragments: Bool)
    /// libxdp's dispatcher calls it: it is an extension program, which stays so. Whether frames of several buffers come is a
    /// matter of the dispatcher alone.
    case dispatched
}

extension BPFMap where Key == UInt32, Value == UInt32 {
    /// Puts a program into a slot of a PROG_ARRAY, in a single step. It must be like the map's first one, see
    /// ``BPFObject/set(_:calledBy:)``.
    package func update(_ slot: UInt32, program: BPFProgram) throws(BPFError) {
        try update(slot, UInt32(bitPattern: program.descriptor))
    }
}
