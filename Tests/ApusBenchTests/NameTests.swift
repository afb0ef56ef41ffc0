import ApusBench
import Testing

@Suite("Names that are asked for")
struct NameTests {
    func suite(leftOut: [String] = []) -> Suite {
        Suite(
            "rings", leftOut: leftOut,
            ["rings/spsc/one-core/bulk-1", "rings/spsc/one-core/bulk-8", "rings/mpmc/one-core/bulk-1"].map {
                Trial($0) { _, _ in [] }
            })
    }

    func names(_ names: String...) throws -> [String]? { try suite().only(names)?.trials.map(\.name) }

    @Test func `A suite's name asks for all of it, a longer one for what begins so`() throws {
        #expect(try names("rings")?.count == 3)
        #expect(try names("rings/spsc", "wire")?.count == 2)
        #expect(try names("rings/mpmc/one-core/bulk-1")?.count == 1)
        #expect(try names("wire") == nil)
    }

    @Test func `What is left out is said only where the whole suite is asked for`() throws {
        let suite = suite(leftOut: ["rings: one core"])
        #expect(try suite.only(["rings"])?.leftOut == ["rings: one core"])
        #expect(try suite.only(["rings/spsc"])?.leftOut == [])
    }

    @Test(arguments: [
        ("rings/spcs", "did you mean rings/spsc?"), ("rings/spsc/onecore/bulk-9", "bulk-1?"),
        ("rings/something-else", "there are: rings/spsc, rings/mpmc"),
    ])
    func `For one that nothing has the nearest is named, or the subjects`(_ name: String, _ way: String) {
        let error = #expect(throws: UnknownName.self) { try suite().only([name]) }
        #expect(error?.description.hasPrefix("nothing to measure begins with \(name); ") == true)
        #expect(error?.description.hasSuffix(way) == true, "\(error?.description ?? "")")
    }

    @Test func `For what is left out the reason is said`() {
        let reason = "rings/contended can't be measured here: it needs two cores"
        let error = #expect(throws: BenchError.self) {
            try suite(leftOut: [reason]).only(["rings/contended/bulk-1"])
        }
        #expect(error?.description == reason)
        let other = #expect(throws: UnknownName.self) { try suite(leftOut: [reason]).only(["rings/spcs"]) }
        #expect(other?.description.contains("did you mean rings/spsc?") == true)
        #expect(other?.description.contains(reason) == true)
    }
}
