import ApusConfig
import ApusXDP
import CFilter
import NetworkLab
import Testing

@testable import ApusFilter

/// What a filter finds that another one left.
@Suite(.requires(.root)) struct StateTests {
    /// Pins another text in the place of what is written down.
    private func rewrite(_ filter: RateLimitFilter, _ change: (String) -> String) throws {
        let path = try filter.store.path("\(#require(filter.store.generations.last))/state")
        let text = change(try FilterState.text(in: BPFMap(opening: path)))
        let size = MemoryLayout<apus_text>.size
        let map = try BPFMap<UInt32, apus_text>(
            creating: .array, name: "apus_state", maxEntries: text.utf8.count / size + 1)
        var (octets, key) = (Array(text.utf8), UInt32(0))
        while !octets.isEmpty {
            var piece = apus_text()
            unsafe withUnsafeMutableBytes(of: &piece) { unsafe $0.copyBytes(from: octets.prefix(size)) }
            try map.update(key, piece)
            key += 1
            octets.removeFirst(min(size, octets.count))
        }
        try BPFFileSystem.unpin(path)
        try map.pin(to: path)
    }

    @Test func theStateOfAnotherVersionIsNamedAndCanBeUnloaded() throws {
        let net = try Pair("version")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            let version = try filter.status().version
            try rewrite(filter) { text in
                text.replacing("apus-filter \(APUS_FILTER_VERSION)\n", with: "apus-filter 999\n")
                    .replacing("version \(version)\n", with: "version 9.9.9\n")
            }
            func expectRefused(_ body: () throws -> Void) {
                let error = #expect(throws: FilterError.self) { try body() }
                #expect(error?.cause == .otherVersion(found: "Apus 9.9.9"))
                #expect(error?.description.contains("was loaded by Apus 9.9.9") == true)
            }
            expectRefused { _ = try filter.status() }
            expectRefused { _ = try RateLimitFilter(on: "vb") }
            expectRefused { try filter.replace(FilterRules()) }
            expectRefused { _ = try RateLimitFilter.load(FilterRules(), on: "vb") }
            // It is in force, so nobody cleans it up by the way.
            #expect(try RateLimitFilter.cleanUp().isEmpty)
            #expect(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp"))
            try filter.unload()
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }

    @Test(arguments: ["", "apus-filter", "no state at all", "apus-filter 1\n\n{}"])
    func whatIsNoStateCanBeUnloaded(_ text: String) throws {
        let net = try Pair("spoiled")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
            try rewrite(filter) { _ in text }
            let error = #expect(throws: FilterError.self) { try filter.status() }
            #expect(error?.cause == .otherVersion(found: "an unknown version of Apus"))
            try filter.unload()
            try RateLimitFilter.load(FilterRules(), on: "vb").unload()
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }
}
