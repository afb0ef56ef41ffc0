import CNUMA

/// NUMA nodes: which one a thread's memory is near to.
package enum MemoryNode {
    /// The node of a CPU; `nil` where there is one node only, or the kernel does not say.
    package static func of(cpu: Int) -> Int? {
        guard numa_available() >= 0, numa_max_node() > 0 else { return nil }
        let node = numa_node_of_cpu(Int32(clamping: cpu))
        return node >= 0 ? Int(node) : nil
    }

    /// Calls `body`; pages that this thread touches first in there come from a node, if it has some free.
    package static func prefer<Result: ~Copyable, Failure: Error>(
        _ node: Int?, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var before = apus_memory_policy()
        guard let node, unsafe apus_prefer_own(Int32(clamping: node), &before) == 0 else { return try body() }
        defer { unsafe apus_restore_own(&before) }
        return try body()
    }
}

extension MemoryNode {
    /// The node of the page of an address that was touched; below 0 an error number, negated.
    @unsafe
    package static func of(_ address: UnsafeRawPointer) -> Int32 {
        // Sound: only asks where it lies.
        unsafe apus_node_of(UnsafeMutableRawPointer(mutating: address))
    }
}

extension FixedArray where Element: ~Copyable {
    /// The NUMA node that its first page lies on; `nil` when the kernel does not say.
    package var memoryNode: Int? {
        // Sound: only asks where the page of that address lies.
        let node = unsafe MemoryNode.of(elements)
        return node >= 0 ? Int(node) : nil
    }
}
