import Testing

@testable import ApusRTP

/// With many streams the time goes into cache lines, so there must not be more of them than needed.
@Suite("What a packet touches") struct LayoutTests {
    @Test func `lies in whole cache lines, or in an even part of one`() {
        #expect(MemoryLayout<EndpointIndex.Entry>.stride == 32)
        #expect(MemoryLayout<SourcePulse>.stride == 64)
        #expect(MemoryLayout<StreamReceptions.Place>.stride == 160)
        #expect(MemoryLayout<StreamCounters>.stride == 192)
        #expect(MemoryLayout<Way>.stride == 128)
    }
}
