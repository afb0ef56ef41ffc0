import ApusConfig
import ApusXDP
import CFilter

/// What is written down about the rules in force, in a pinned map: all that is not to be seen in the other maps.
struct FilterState: Hashable, Sendable {
    /// The layout of this text and of the maps.
    var format = Int(APUS_FILTER_VERSION)
    /// The version of Apus that wrote it.
    var version: String
    /// The name the interface had.
    var interface: String
    /// Where the program runs.
    var mode: XDPMode
    /// How the entry program sits on its interface.
    var caller: TailCaller
    /// Whether frames of several buffers come.
    var takesFragments: Bool
    /// The kernel's ticks by which the program tells the time, in nanoseconds; nil where it tells it to the nanosecond.
    var tick: UInt64?
    /// Whether the program does without calls.
    var isForFew = false
    /// What differs from the best grant and why.
    var remarks: [String]
    /// When the filter was loaded, and when its rules were: seconds since 1970.
    var (loaded, changed): (Int, Int)
    /// Of the table of sources.
    var secret: [UInt64]
    /// Of the limits.
    var numbers: LimitNumbers
    /// The rules; of the entries of lists only those about ports, as each of the others is in a map by itself.
    var rules: FilterRules
    /// When those entries are over that have a lifetime: nanoseconds of CLOCK_MONOTONIC.
    var until: [FilterSubject: UInt64]

    /// The text: a line for each of these, an empty line, and the rules in JSON5.
    var text: String {
        let header = [
            "apus-filter \(format)", "version \(version)", "interface \(interface)", "mode \(mode)",
            "caller \(Self.word(caller))", "fragments \(takesFragments)", "loaded \(loaded)",
            "changed \(changed)", "tick \(tick ?? 0)", "few \(isForFew)",
            "secret \(secret.map { String($0, radix: 16) }.joined(separator: " "))",
            "numbers \(numbers.inForce.map(String.init).joined(separator: " "))",
            "places \(numbers.lastOfEachPlace.map { $0.map(String.init) ?? "-" }.joined(separator: " "))",
        ]
        let times = until.map { "until \($0.value) \($0.key)" }.sorted()
        return (header + times + remarks.map { "remark \($0)" }).joined(separator: "\n") + "\n\n" + rules.text
    }

    /// Why a text is no state that this version can take over.
    enum Refusal: Error {
        /// Written by another version, whose name this is.
        case otherVersion(String)
    }

    /// Reads the text that another command wrote. It is as little to be trusted as whoever may write to the BPF file
    /// system is: root.
    init(parsing text: String) throws(Refusal) {
        let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
        var fields: [Substring: Substring] = [:]
        var (remarks, end): ([String], Int) = ([], 0)
        var until: [FilterSubject: UInt64] = [:]
        for line in parts {
            end += 1
            guard !line.isEmpty else { break }
            let words = line.split(separator: " ", maxSplits: 1)
            // A line of blanks has none.
            guard let key = words.first else { continue }
            let value = words.count == 2 ? words[1] : ""
            switch key {
            case "remark": remarks.append(String(value))
            case "until":
                let parts = value.split(separator: " ", maxSplits: 1)
                guard parts.count == 2, let time = UInt64(parts[0]),
                    let subject = try? FilterSubject(String(parts[1]))
                else { continue }
                until[subject] = time
            default: fields[key] = value
            }
        }
        let version = fields["version"].map { "Apus \($0)" } ?? Self.unknownVersion
        func words(_ key: Substring) -> [Substring] { (fields[key] ?? "").split(separator: " ") }
        guard fields["apus-filter"] == "\(APUS_FILTER_VERSION)",
            let caller = Self.callers.first(where: { Self.word($0) == fields["caller"] ?? "" }),
            let mode = fields["mode"].flatMap({ XDPMode(rawValue: String($0)) }),
            let loaded = fields["loaded"].flatMap({ Int($0) }), Self.times.contains(loaded),
            let changed = fields["changed"].flatMap({ Int($0) }), Self.times.contains(changed),
            let rules = try? FilterRules(
                parsing: parts[end...].joined(separator: "\n"), name: "rules in force")
        else { throw .otherVersion(version) }
        let secret = words("secret").compactMap { UInt64($0, radix: 16) }
        let numbers = words("numbers").compactMap { UInt32($0) }
        let places = words("places").map { UInt32($0) }
        guard secret.count == 8, numbers.count == rules.limits.count, places.count == Int(APUS_FILTER_LIMITS)
        else { throw .otherVersion(version) }
        self.init(
            version: String(fields["version"] ?? ""), interface: String(fields["interface"] ?? ""),
            mode: mode,
            caller: caller, takesFragments: fields["fragments"] == "true",
            remarks: remarks, loaded: loaded, changed: changed, secret: secret,
            numbers: LimitNumbers(limits: rules.limits, inForce: numbers, last: places), rules: rules,
            until: until)
        tick = fields["tick"].flatMap { UInt64($0) }.flatMap { $0 == 0 ? nil : $0 }
        isForFew = fields["few"] == "true"
    }

    /// Writes down of a program what it was granted.
    mutating func set(_ program: RulesProgram) {
        (tick, isForFew) = (program.tick, program.isForFew)
        remarks.removeAll { $0 == Self.guarded }
        if program.isGuarded { remarks.append(Self.guarded) }
    }

    private static let guarded =
        "loaded without CAP_PERFMON, so the kernel guards its accesses to memory: a packet takes two to three times as long"

    init(
        version: String, interface: String, mode: XDPMode, caller: TailCaller, takesFragments: Bool,
        remarks: [String], loaded: Int, changed: Int, secret: [UInt64], numbers: LimitNumbers,
        rules: FilterRules,
        until: [FilterSubject: UInt64]
    ) {
        (self.version, self.interface, self.mode) = (version, interface, mode)
        (self.caller, self.takesFragments, self.remarks) = (caller, takesFragments, remarks)
        (self.loaded, self.changed) = (loaded, changed)
        (self.secret, self.numbers, self.rules) = (secret, numbers, rules)
        self.until = until
    }

    /// What to call who wrote no name down.
    static let unknownVersion = "an unknown version of Apus"

    /// Seconds since 1970 that a clock may show: 64 bits of nanoseconds.
    private static let times = 0...Int(Int64.max / 1_000_000_000)

    private static let callers: [TailCaller] = [
        .dispatched, .alone(takesFragments: true), .alone(takesFragments: false),
    ]

    private static func word(_ caller: TailCaller) -> String {
        switch caller {
        case .dispatched: "dispatcher"
        case .alone(true): "alone-fragments"
        case .alone(false): "alone"
        }
    }

    /// Writes down other rules, whose lifetimes begin now.
    mutating func set(_ rules: FilterRules, numbers: LimitNumbers, now: UInt64) {
        self.rules = rules
        self.rules.entries = rules.entries.filter { entry in
            switch entry.subject {
            case .port, .sourcePort: true
            case .source, .ipProtocol: false
            }
        }
        until = [:]
        for entry in self.rules.entries where entry.lifetime != nil {
            until[entry.subject] = apus_entry(entry, now: now).until
        }
        self.numbers = numbers
    }
}

extension FilterState {
    /// A map that holds the text.
    func map() throws(BPFError) -> BPFMap<UInt32, apus_text> {
        let pieces = Self.pieces(of: text)
        let map = try BPFMap<UInt32, apus_text>(
            creating: .array, name: "apus_state", maxEntries: pieces.count)
        try map.update((0..<UInt32(pieces.count)).map { $0 }, values: pieces)
        return map
    }

    /// The text in a map.
    static func text(in map: BPFMap<UInt32, apus_text>) throws(BPFError) -> String {
        try map.expect(.array, entries: 1...mostPieces)
        var octets: [UInt8] = []
        for (_, values) in try map.entries().sorted(by: { $0.key < $1.key }) {
            for value in values {
                // Sound: the octets of a struct of integers without padding.
                unsafe withUnsafeBytes(of: value) { unsafe octets.append(contentsOf: $0) }
            }
        }
        return String(decoding: octets.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// 16 MiB; the longest rules have far less.
    private static let mostPieces = 1 << 16

    private static func pieces(of text: String) -> [apus_text] {
        let octets = Array(text.utf8)
        let size = MemoryLayout<apus_text>.size
        // One more octet than there are, so that a zero ends it.
        return stride(from: 0, through: octets.count, by: size).map { start in
            var piece = apus_text()
            // Sound: no more octets are copied than the struct has.
            unsafe withUnsafeMutableBytes(of: &piece) { room in
                unsafe room.copyBytes(from: octets[start..<min(start + size, octets.count)])
            }
            return piece
        }
    }
}
