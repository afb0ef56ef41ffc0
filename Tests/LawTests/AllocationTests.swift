import Testing

/// Law: the data path takes no memory from the heap.
@Suite("Allocations")
struct AllocationTests {
    @Test func `A million packets cost none, through ports and rings`() throws {
        let ran = try Ran([Examples.program("HotPath"), "--dpdk"])
        #expect(ran.status == 0, "\(ran.output)")
        var counts: [String: (packets: Int, allocations: Int)] = [:]
        for line in ran.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let packets = Int(words[1]), let allocations = Int(words[2]) else {
                continue
            }
            counts[String(words[0])] = (packets, allocations)
        }
        for loop in ["memory", "spsc", "mpmc", "handoff"] {
            let count = try #require(counts[loop], "\(ran.output)")
            #expect(count.packets >= 1_000_000 && count.allocations == 0, "\(loop): \(count)")
        }
        for algorithm in ["AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"] {
            // The libraries' own are counted too.
            let sealed = counts.filter { $0.key.hasPrefix(algorithm + "/") }
            #expect(sealed["\(algorithm)/OpenSSL"] != nil)
            for (name, count) in sealed {
                #expect(count.packets >= 1_000_000 && count.allocations == 0, "\(name): \(count)")
            }
        }
        if Examples.hasDPDK {
            let count = try #require(counts["dpdk"], "\(ran.output)")
            #expect(count.packets >= 1_000_000 && count.allocations == 0, "dpdk: \(count)")
        }
        // The control: a loop with an object for each packet.
        let objects = try #require(counts["objects"])
        #expect(objects.packets == 64 && objects.allocations >= 64, "the counter counts")
    }
}
