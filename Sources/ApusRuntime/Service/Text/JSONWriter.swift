/// Writes JSON (RFC 8259) into bytes, on one line. The caller opens and closes in the right order; the commas
/// are put in here.
struct JSONWriter {
    var bytes: [UInt8] = []
    // Whether something stands before the next member or element in the innermost object or array.
    private var needsComma = false

    init() {}

    mutating func openObject(_ key: String? = nil) { open(key, UInt8(ascii: "{")) }
    mutating func openArray(_ key: String? = nil) { open(key, UInt8(ascii: "[")) }
    mutating func closeObject() { close(UInt8(ascii: "}")) }
    mutating func closeArray() { close(UInt8(ascii: "]")) }

    /// An element of an array.
    mutating func element(_ value: String) {
        begin(nil)
        string(value)
    }

    /// A member of an object; `nil` leaves it out.
    mutating func add(_ key: String, _ value: String?) {
        guard let value else { return }
        begin(key)
        string(value)
    }

    mutating func add(_ key: String, _ value: (some BinaryInteger)?) {
        guard let value else { return }
        begin(key)
        bytes += String(value).utf8
    }

    /// JSON has no infinities; the member is left out then.
    mutating func add(_ key: String, _ value: Double?) {
        guard let value, value.isFinite else { return }
        begin(key)
        bytes += value.description.utf8
    }

    mutating func add(_ key: String, _ value: Bool) {
        begin(key)
        bytes += (value ? "true" : "false").utf8
    }

    mutating func add(_ key: String, _ values: [String]) {
        openArray(key)
        for value in values { element(value) }
        closeArray()
    }

    /// Keys in order, so that the same value is always the same text.
    mutating func add(_ key: String, _ values: [String: UInt64]) {
        openObject(key)
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { add(name, value) }
        closeObject()
    }

    private mutating func open(_ key: String?, _ bracket: UInt8) {
        begin(key)
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func begin(_ key: String?) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard let key else { return }
        string(key)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7f:
                let digits = Array("0123456789abcdef".utf8)
                bytes += "\\u00".utf8
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
