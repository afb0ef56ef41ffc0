import CLinux

/// A classic BPF program under construction (Documentation/networking/filter.rst).
///
/// Jumps are relative and their two conditional offsets have eight bits, so blocks are written
/// front to back and far targets are reached over an unconditional jump, whose offset has 32.
struct FilterProgram {
    private(set) var instructions: [sock_filter] = []
    private var places: [Label: Int] = [:]
    private var jumps: [(at: Int, side: Side, to: Label)] = []
    private var labels = 0

    struct Label: Hashable {
        fileprivate let number: Int
    }

    private enum Side { case always, ifTrue, ifFalse }

    mutating func makeLabel() -> Label {
        labels += 1
        return Label(number: labels)
    }

    /// The next instruction is where `label` leads.
    mutating func place(_ label: Label) { places[label] = instructions.count }

    mutating func emit(_ code: Int32, _ operand: UInt32 = 0) {
        instructions.append(sock_filter(code: UInt16(code), jt: 0, jf: 0, k: operand))
    }

    mutating func jump(to label: Label) {
        jumps.append((instructions.count, .always, label))
        emit(BPF_JMP | BPF_JA)
    }

    /// Compares the accumulator; without a label the next instruction follows.
    mutating func jump(
        _ test: Int32, _ operand: UInt32, then ifTrue: Label? = nil, else ifFalse: Label? = nil
    ) {
        if let ifTrue { jumps.append((instructions.count, .ifTrue, ifTrue)) }
        if let ifFalse { jumps.append((instructions.count, .ifFalse, ifFalse)) }
        emit(BPF_JMP | test | BPF_K, operand)
    }

    mutating func load(_ size: Int32, at offset: UInt32) { emit(BPF_LD | size | BPF_ABS, offset) }

    /// Ends: the kernel takes the packet whole, or not at all.
    mutating func accept(_ accepted: Bool) { emit(BPF_RET | BPF_K, accepted ? .max : 0) }

    /// The finished program; `nil` when it is longer than the kernel takes.
    consuming func assembled() -> [sock_filter]? {
        guard instructions.count <= BPF_MAXINSNS else { return nil }
        for jump in jumps {
            let distance = places[jump.to]! - jump.at - 1
            switch jump.side {
            case .always: instructions[jump.at].k = UInt32(distance)
            case .ifTrue: instructions[jump.at].jt = UInt8(distance)
            case .ifFalse: instructions[jump.at].jf = UInt8(distance)
            }
        }
        return instructions
    }
}
