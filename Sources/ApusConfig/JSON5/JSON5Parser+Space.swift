extension JSON5Parser {
    /// Passes white space and comments (JSON5InputElement).
    mutating func skipSpace() throws(ConfigurationError) {
        while let first = byte {
            switch first {
            case 0x09...0x0d, 0x20: advance()
            case UInt8(ascii: "/"): try skipComment()
            case 0x80...:
                guard let scalar, isSpace(scalar.value) else { return }
                advance(scalar.length)
            default: return
            }
        }
    }

    /// WhiteSpace and LineTerminator beyond ASCII.
    private func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xa0, 0xfeff, 0x2028, 0x2029: true
        default: scalar.properties.generalCategory == .spaceSeparator
        }
    }

    private mutating func skipComment() throws(ConfigurationError) {
        let start = position
        switch byte(ahead: 1) {
        case UInt8(ascii: "/"):
            while let scalar, !isLineTerminator(scalar.value) { advance(scalar.length) }
        case UInt8(ascii: "*"):
            advance(2)
            while !(byte == UInt8(ascii: "*") && byte(ahead: 1) == UInt8(ascii: "/")) {
                guard byte != nil else { throw error("the comment that begins here does not end", at: start) }
                advance()
            }
            advance(2)
        default: throw error("expected a value, a key or a comment, found \"/\"")
        }
    }

    /// LineTerminator.
    func isLineTerminator(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0a, 0x0d, 0x2028, 0x2029: true
        default: false
        }
    }
}
