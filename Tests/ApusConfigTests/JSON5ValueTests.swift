import ApusConfig
import Testing

/// Reads a text as the file `x.json5`.
func json5(_ text: String) throws -> JSON5Value {
    try JSON5Value(parsing: ConfigurationSource(name: "x.json5", text: text))
}

@Suite struct JSON5ValueTests {
    @Test func `the example on the front page of the specification is read`() throws {
        let value = try json5(
            #"""
            {
              // comments
              unquoted: 'and you can quote me on that',
              singleQuotes: 'I can use "double quotes" here',
              lineBreaks: "Look, Mom! \
            No \\n's!",
              hexadecimal: 0xdecaf,
              leadingDecimalPoint: .8675309, andTrailing: 8675309.,
              positiveSign: +1,
              trailingComma: 'in objects', andIn: ['arrays',],
              "backwardsCompatible": "with JSON",
            }
            """#)
        #expect(
            plain(value) == """
                {unquoted: "and you can quote me on that", singleQuotes: "I can use \\"double quotes\\" here", \
                lineBreaks: "Look, Mom! No \\\\n\\'s!", hexadecimal: 912559, leadingDecimalPoint: 0.8675309, \
                andTrailing: 8675309.0, positiveSign: 1, trailingComma: "in objects", andIn: ["arrays"], \
                backwardsCompatible: "with JSON"}
                """)
    }

    @Test(arguments: [
        // Section 5, strings
        (#"'abc'"#, #""abc""#), (#""it's""#, #""it\'s""#), (#"'\x41\u0042\C'"#, #""ABC""#),
        (#"'\b\f\n\r\t\v\0'"#, #""\u{08}\u{0C}\n\r\t\u{0B}\0""#), (#"'\uD83D\uDE00'"#, #""😀""#),
        ("'a\\\nb\\\r\nc\\\rd\\\u{2028}e'", #""abcde""#), (#"'\'\"\\'"#, #""\'\"\\""#),
        ("'tab\there'", #""tab\there""#),
        ("'\u{2028}'", "\"\u{2028}\""), (#"'\é'"#, #""é""#), (#"''"#, #""""#),
        // Section 6, numbers
        ("123", "123"), ("123.456", "123.456"), (".456", "0.456"), ("123e-2", "1.23"), ("1E3", "1000.0"),
        ("5.e1", "50.0"),
        ("0xC8", "200"), ("-0xC8", "-200"), ("0xffffffffffffffffff", "4.722366482869645e+21"),
        ("Infinity", "inf"),
        ("-Infinity", "-inf"), ("+Infinity", "inf"), ("NaN", "nan"), ("-NaN", "nan"), ("+.5", "0.5"),
        ("-0", "-0.0"),
        ("0", "0"), ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9.223372036854776e+18"),
        ("1e999", "inf"), ("0.0", "0.0"),
        // Sections 2 to 4, words, arrays and objects
        ("null", "null"), ("true", "true"), ("false", "false"), ("[]", "[]"), ("[1,]", "[1]"),
        ("[[],{}]", "[[], {}]"),
        ("{}", "{}"), ("{a:1,'b c':2,\"d\":3,}", "{a: 1, b c: 2, d: 3}"),
        (
            #"{$_a9:1, \u0061b:2, ünïcödé:3, null:4}"#,
            "{$_a9: 1, ab: 2, ünïcödé: 3, null: 4}"
        ), ("{__proto__:1}", "{__proto__: 1}"),
        // Sections 7 and 8, comments and white space
        ("//x\n1//y", "1"), ("/* * / */ 1 /**/", "1"), ("\u{feff}\u{a0}\u{2003}\u{b}\u{c}\t1\u{2029}", "1"),
        ("// to a line separator\u{2028}1", "1"), ("/*a\nb*/[/**/1/**/,/**/]", "[1]"),
    ])
    func `the productions of the specification are read`(text: String, meaning: String) throws {
        #expect(plain(try json5(text)) == meaning)
    }

    @Test(arguments: [
        "", " ", "// only a comment", "[,]", "[1,,]", "{,}", "{a}", "{a:}", "{a:1,,}", "{a:1 b:2}", "[1 2]",
        "[", "{", "]", "}",
        "{a:[}", "1 2", "'a", "\"a'", "'a\nb'", "'\\", "'\\x4'", "'\\u00g0'", "'\\1'", "'\\01'", "'\\uD800'",
        "'\\uDC00'",
        "'\\uD800\\u0041'", "01", "-01", "+", "-", ".", "1e", "1e+", "0x", "0xg", "1a", "1.2.3", "--1",
        "+true", "tru", "nul",
        "undefined", "{1a:2}", "{a-b:1}", "{\\u0031:1}", "{\\x41:1}", "/", "/*", "/* *", "[/]", "#1", "@",
        "\u{0}", "'\\u'", "1_000",
        "{'a' 1}", "{a:1]", "[1}", "{\u{200d}:1}", "0b1", "0o7", "1.e", "infinity",
    ])
    func `what is no JSON5 is refused at a place`(text: String) {
        #expect(throws: ConfigurationErrors.self) {
            do {
                _ = try json5(text)
            } catch let errors as ConfigurationErrors {
                #expect(errors.errors.count == 1)
                #expect(errors.errors[0].line != nil && errors.errors[0].column != nil)
                throw errors
            }
        }
    }

    @Test func `each value and key knows its line and column`() throws {
        let value = try json5("\u{feff}{\r\n  /* ü */ é: [1,\r\t'😀', {b:\n2}],\n}")
        guard case .object(let members) = value.kind, case .array(let elements) = members[0].value.kind,
            case .object(let inner) = elements[2].kind
        else {
            Issue.record("read as \(value)")
            return
        }
        #expect(value.position == SourcePosition(line: 1, column: 1))
        #expect(members[0].position == SourcePosition(line: 2, column: 11))
        #expect(members[0].value.position == SourcePosition(line: 2, column: 14))
        #expect(elements.map(\.position.description) == ["2:15", "3:2", "3:7"])
        #expect(inner[0].position == SourcePosition(line: 3, column: 8))
        #expect(inner[0].value.position == SourcePosition(line: 4, column: 1))
    }
}

/// The value as one line, without positions.
func plain(_ value: JSON5Value) -> String {
    switch value.kind {
    case .null: "null"
    case .boolean(let flag): "\(flag)"
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .string(let text): "\"" + text.unicodeScalars.map { $0.escaped(asASCII: false) }.joined() + "\""
    case .array(let elements): "[" + elements.map(plain).joined(separator: ", ") + "]"
    case .object(let members):
        "{" + members.map { "\($0.key): \(plain($0.value))" }.joined(separator: ", ") + "}"
    }
}
