/// What becomes of a packet.
public enum FilterPolicy: String, ConfigurationWord, Hashable {
    /// It passes, as far as the limits have room.
    case allow
    /// It is dropped.
    case deny

    /// Words of other filters that mean one of these.
    public static func refusal(of word: String) -> String? { refusal(of: word, expected: expectation) }

    fileprivate static func refusal(of word: String, expected: String) -> String? {
        let meant: FilterPolicy? =
            switch word {
            case "accept", "pass": .allow
            case "drop", "block", "reject": .deny
            default: nil
            }
        return meant.map { "expected \(expected), found \(word.quoted); did you mean \"\($0.rawValue)\"?" }
    }
}

/// What becomes of an IP fragment behind the first, which has no ports to be judged by.
public enum FragmentPolicy: String, ConfigurationWord, Hashable {
    /// It is judged by its addresses and its protocol, and the limits apply to it.
    case limit
    /// It passes.
    case allow
    /// It is dropped.
    case deny

    /// Words of other filters that mean one of these.
    public static func refusal(of word: String) -> String? {
        FilterPolicy.refusal(of: word, expected: expectation)
    }
}
