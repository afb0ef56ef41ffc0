import Apus
import Testing

@testable import ApusCLI

@Suite struct FilterReferenceTests {
    /// The manual's keys against those that the reader names when it meets one that it does not know.
    @Test func `the manual describes each key of a filter's file, and no other`() throws {
        let places = [
            "{ }": "{ ? }", "allow, deny: [{ }]": "{ allow: [{ match: 'gre', ? }] }",
            "management: [{ }]": "{ management: [{ service: 'tcp/22', ? }] }",
            "limits: [{ }]": "{ limits: [{ rate: '1pps', ? }] }",
            "service: { }": "{ limits: [{ rate: '1pps', service: { protocol: 'udp', ? } }] }",
            "ban: { }": "{ limits: [{ each: 'source', rate: '1pps', ban: { over: 2, for: '1m', ? } }] }",
        ]
        #expect(FilterReference.all.count == places.count)
        for section in FilterReference.all {
            let text = try #require(places[section.section]).replacing("?", with: "zzzzzzzzzzzz: 1")
            #expect(section.keys.map(\.name).sorted() == (try known(text)).sorted(), "\(section.section)")
        }
        let denied = try known("{ deny: [{ match: 'gre', zzzzzzzzzzzz: 1 }] }")
        #expect(denied == (try known("{ allow: [{ match: 'gre', zzzzzzzzzzzz: 1 }] }")))
    }

    @Test func `the manual's example is right rules`() throws {
        let rules = try FilterRules(parsing: FilterReference.example, name: "example")
        #expect(rules.entries.count == 6 && rules.limits.count == 3)
        #expect(try FilterRules(parsing: rules.text, name: "again") == rules)
    }

    /// Each default that the manual names is the default of the rules.
    @Test func `the defaults in the manual are those of the rules`() throws {
        let root = try #require(FilterReference.all.first { $0.section == "{ }" })
        var text = "{\n"
        for (name, meaning) in root.keys {
            let match = try #require(meaning.firstMatch(of: /Default: (.*)\.$/), "\(name)")
            text += "  \(name): \(match.1),\n"
        }
        #expect(try FilterRules(parsing: text + "}", name: "defaults") == FilterRules())
    }

    private func known(_ text: String) throws -> [String] {
        do {
            _ = try FilterRules(parsing: text, name: "x")
        } catch {
            let match = try #require(
                "\(error)".firstMatch(of: /unknown key "zzzzzzzzzzzz"; known here: (.*)/))
            return match.1.split(separator: ", ").map(String.init)
        }
        return []
    }
}
