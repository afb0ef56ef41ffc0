import ApusPorts
import ApusRTP
import ApusWire

/// A status in the Prometheus text format 0.0.4, made piece by piece, a family after the other.
struct MetricsText: TextSource {
    /// What `Content-Type` says of it.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let snapshot: StatusSnapshot
    private let families = MetricFamily.all
    private var family = 0
    private var item = 0

    init(_ snapshot: StatusSnapshot) { self.snapshot = snapshot }

    mutating func appendNext(to text: inout [UInt8]) {
        var samples = MetricSamples()
        while family < families.count, samples.bytes.count < textPieceSize {
            let current = families[family]
            samples.begin(current, writesHeader: item == 0)
            let count = current.items(snapshot.status)
            while item < count, samples.bytes.count < textPieceSize {
                current.write(snapshot.status, item, &samples)
                item += 1
            }
            guard item >= count else { break }
            (family, item) = (family + 1, 0)
        }
        text += samples.bytes
    }
}

/// Metrics of one name, whose samples differ in their labels.
struct MetricFamily: Sendable {
    enum Kind: String {
        case counter
        case gauge
    }

    var name: String
    var kind: Kind
    var help: String
    /// How many things have samples of it.
    var items: @Sendable (ForwarderStatus) -> Int
    /// Writes the samples of one of them.
    var write: @Sendable (ForwarderStatus, Int, inout MetricSamples) -> Void
}

/// The lines of one family.
struct MetricSamples {
    fileprivate(set) var bytes: [UInt8] = []
    private var name = ""

    fileprivate mutating func begin(_ family: MetricFamily, writesHeader: Bool) {
        name = family.name
        guard writesHeader else { return }
        bytes += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n".utf8
    }

    /// Adds a sample.
    mutating func add(_ value: UInt64, _ labels: (String, String)...) { line("\(value)", labels) }

    /// Adds a sample.
    mutating func add(_ value: UInt64, _ labels: [(String, String)]) { line("\(value)", labels) }

    /// Adds a sample.
    mutating func add(_ value: Double, _ labels: (String, String)...) { line(value.description, labels) }

    private mutating func line(_ value: String, _ labels: [(String, String)]) {
        bytes += name.utf8
        if !labels.isEmpty {
            var mark = UInt8(ascii: "{")
            for (key, value) in labels {
                bytes.append(mark)
                bytes += "\(key)=\"".utf8
                escape(value)
                bytes.append(UInt8(ascii: "\""))
                mark = UInt8(ascii: ",")
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes += " \(value)\n".utf8
    }

    /// A backslash, a quote and a line feed are escaped in a label; all else stands as it is.
    private mutating func escape(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            default: bytes.append(byte)
            }
        }
    }
}
