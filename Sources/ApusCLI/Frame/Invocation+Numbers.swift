import Apus

extension Invocation {
    /// A whole number given for an option, or nil; wrong usage outside the range.
    func number(_ option: Option, in range: ClosedRange<Int>) throws(ExitFailure) -> Int? {
        guard let number = try value(option, as: Int.self) else { return nil }
        guard range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "\(range.lowerBound) or more" : "from \(range.lowerBound) to \(range.upperBound)"
            throw ExitFailure(.usage, "\(option.name): expected a number \(bounds), found \(number)")
        }
        return number
    }

    /// The nanoseconds of a time in seconds, `2` or `0.5`, given for an option, or nil; wrong usage unless it
    /// is more than none and at most a year.
    func seconds(_ option: Option) throws(ExitFailure) -> UInt64? {
        guard let text = text(option) else { return nil }
        let isPlain = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
        }
        guard isPlain, let seconds = Double(text), seconds >= 0.000_001, seconds <= 31_536_000 else {
            throw ExitFailure(
                .usage, "\(option.name): expected a time in seconds, such as 10 or 0.5, found \(text.quoted)")
        }
        return UInt64((seconds * 1e9).rounded())
    }
}
