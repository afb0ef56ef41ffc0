/// What becomes of a packet.
public enum FilterPolicy: String, ConfigurationWord, Hashable {
    /// It passes, as far as the limits have room.
    case allow
    /// It is dropped.
    case deny

    /// Words of other filters that mean one of these.
    public static func refusal(of word: String) -> String? {
        switch word {
        case "accept", "pass": "expected \(expectation), found \(word.quoted); did you mean \"allow\"?"
        case "drop", "block", "reject":
            "expected \(expectation), found \(word.quoted); did you mean \"deny\"?"
        default: nil
        }
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
}
