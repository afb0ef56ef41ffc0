import ApusConfig
import Testing

/// What a reader of `x.json5` is told.
func complaint(about text: String) -> String {
    do {
        return "read: " + plain(try json5(text))
    } catch {
        return "\(error)"
    }
}

@Suite struct JSON5ErrorTests {
    @Test func `an error shows the line and a caret beneath the place`() {
        #expect(
            complaint(about: "{\n  a: 1,\n  b 2,\n}") == """
                x.json5:3:5: expected ":" after the key, found "2"
                  3 |   b 2,
                    |     ^
                """)
    }

    @Test func `a bracket that is not closed is named with its place`() {
        #expect(
            complaint(about: "{\n  a: [1, 2\n") == """
                x.json5:3:1: expected "," or "]" after the value, found the end of the file
                  3 | \n    | ^
                x.json5:2:6: the "[" that is open there is here
                """)
    }

    @Test func `the caret stands right under wide and combining characters and tabs`() {
        #expect(
            complaint(about: "\t['日本', 'e\u{301}', x]") == """
                x.json5:1:15: expected a value, found x; a text stands in quotes: "x"
                  1 |  ['日本', 'e\u{301}', x]
                    |                ^
                """)
    }

    @Test func `of a long line only the surroundings are shown`() {
        let text = "[" + String(repeating: "1, ", count: 50) + "?" + String(repeating: ", 2", count: 50) + "]"
        #expect(
            complaint(about: text) == """
                x.json5:1:152: expected a value, found "?"
                  1 | …1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ?, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2…
                    |                                                              ^
                """)
    }

    @Test func `a file cannot drive the terminal through an error`() {
        let text = "{ '\u{1b}[2J\u{9b}H\u{202e}': 1, '\u{1b}[2J\u{9b}H\u{202e}': 2, \u{1b}"
        let shown = complaint(about: text)
        #expect(!shown.unicodeScalars.contains { $0.value == 0x1b || $0.value == 0x9b || $0.value == 0x202e })
        #expect(shown.hasPrefix("x.json5:1:31: expected a key or \"}\", found the control character U+001B"))
    }

    @Test(arguments: [
        ("'abc", "x.json5:1:1: the string that begins here does not end on its line"),
        ("[1, /* x", "x.json5:1:5: the comment that begins here does not end"),
        ("{a: auto}", "x.json5:1:5: expected a value, found auto; a text stands in quotes: \"auto\""),
        ("{a: 192.0.2.1}", "x.json5:1:10: \".\" cannot stand in a number; a text stands in quotes"),
        ("{a: 10us}", "x.json5:1:7: \"u\" cannot stand in a number; a text stands in quotes"),
        ("{a: 010}", "x.json5:1:5: a number cannot begin with 0; leave it out"),
        ("'\\u12'", "x.json5:1:2: expected 4 hexadecimal digits after \"\\u\""),
        ("'\\uD83D!'", "x.json5:1:2: \"\\uD83D\" is half a character; the other half is missing"),
        ("'\\7'", "x.json5:1:2: \"\\7\" is no escape sequence; a backslash is written \"\\\\\""),
        ("1 2", "x.json5:1:3: expected the end of the file, found \"2\""),
        ("", "x.json5:1:1: expected a value, found the end of the file"),
        ("{a: 1, b: 2, a: 3}", "x.json5:1:14: \"a\" is there twice"),
        ("[\n", "x.json5:2:1: expected a value or \"]\", found the end of the file"),
    ])
    func `a mistake is named for what it is`(text: String, first: String) {
        #expect(complaint(about: text).split(separator: "\n").first ?? "" == first)
    }

    @Test func `each duplicate key is reported and points at the first`() {
        #expect(
            complaint(about: "{ a: 1,\n  a: 2, 'a': 3 }") == """
                x.json5:2:3: "a" is there twice
                  2 |   a: 2, 'a': 3 }
                    |   ^
                x.json5:1:3: the first "a" is here
                x.json5:2:9: "a" is there twice
                  2 |   a: 2, 'a': 3 }
                    |         ^
                x.json5:1:3: the first "a" is here
                """)
    }

    @Test func `a byte that is no UTF-8 is found where it stands`() {
        var bytes = Array("{\n  é: '".utf8)
        bytes += [0xff, 0x27, 0x7d]
        #expect {
            try JSON5Value(parsing: ConfigurationSource(name: "x.json5", bytes: bytes))
        } throws: { error in
            "\(error)".hasPrefix("x.json5:2:7: the file is no UTF-8 text: this byte cannot stand here\n")
        }
    }
}
