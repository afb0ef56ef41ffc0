import Apus

/// A text within single quotes of a shell.
func shellText(_ text: String) -> String { text.escaping(["'": "'\\''"]) }

/// A name as one word of a command that somebody may copy into a shell, without control characters.
func shellWord(_ name: String) -> String {
    if name.utf8.allSatisfy(isPlain) { return name }
    if name == name.printable { return "'\(shellText(name))'" }
    let bytes = name.utf8.map { byte in
        let digits = String(byte, radix: 16)
        return isPlain(byte)
            ? String(Unicode.Scalar(byte)) : "\\x" + (digits.count == 1 ? "0" : "") + digits
    }
    return "$'\(bytes.joined())'"
}

/// Whether it means nothing to a shell, wherever it stands in a word.
private func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "./_@:-".utf8.contains(byte)
    }
}
