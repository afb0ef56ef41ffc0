import CFilter

/// What became of a packet, apart from limits: why it passed, or why it was dropped.
public enum FilterReason: UInt32, CaseIterable, Sendable {
    /// Judged by the lists and within all limits that apply.
    case within
    /// ARP or neighbor discovery, or what that needs of the messages about multicast listeners (MLD).
    case neighbor
    /// To a service of management.
    case management
    /// From a source that is allowed, to which no limits apply.
    case allowedSource
    /// Neither IP nor ARP, which the rules let pass.
    case notIPAllowed
    /// A fragment, which the rules let pass.
    case fragmentAllowed
    /// Could not be parsed, which the rules let pass.
    case malformedAllowed
    /// Could not be parsed.
    case malformed
    /// Neither IP nor ARP.
    case notIP
    /// A fragment.
    case fragment
    /// From a source that overran a limit and is banned for a time.
    case banned
    /// From a source that is denied.
    case deniedSource
    /// To a port that is denied.
    case deniedPort
    /// From a port that is denied.
    case deniedSourcePort
    /// Of a protocol that is denied.
    case deniedProtocol
    /// On no list, and the policy is to deny.
    case policy

    /// Whether such packets pass, unless in a dry run all do.
    public var passes: Bool { rawValue <= Self.malformedAllowed.rawValue }

    /// Its name in JSON and metrics: `denied_source`.
    public var label: String {
        switch self {
        case .within: "within"
        case .neighbor: "neighbor"
        case .management: "management"
        case .allowedSource: "allowed_source"
        case .notIPAllowed: "not_ip_allowed"
        case .fragmentAllowed: "fragment_allowed"
        case .malformedAllowed: "malformed_allowed"
        case .malformed: "malformed"
        case .notIP: "not_ip"
        case .fragment: "fragment"
        case .banned: "banned"
        case .deniedSource: "denied_source"
        case .deniedPort: "denied_port"
        case .deniedSourcePort: "denied_source_port"
        case .deniedProtocol: "denied_protocol"
        case .policy: "policy"
        }
    }

    /// What it says to people: `the source is denied`.
    public var text: String {
        switch self {
        case .within: "within all limits"
        case .neighbor: "ARP and neighbor discovery"
        case .management: "management"
        case .allowedSource: "the source is allowed"
        case .notIPAllowed: "neither IP nor ARP"
        case .fragmentAllowed: "a fragment"
        case .malformedAllowed: "not to be parsed"
        case .malformed: "not to be parsed"
        case .notIP: "neither IP nor ARP"
        case .fragment: "a fragment"
        case .banned: "the source is banned"
        case .deniedSource: "the source is denied"
        case .deniedPort: "the port is denied"
        case .deniedSourcePort: "the source port is denied"
        case .deniedProtocol: "the protocol is denied"
        case .policy: "the policy is to deny"
        }
    }
}

extension FilterReason {
    /// What it means, for the manual: a sentence without a full stop.
    public var sentence: String {
        switch self {
        case .within: "it passed: no list drops it, and all limits that apply have room"
        case .neighbor: "it passed as ARP or neighbor discovery, which nothing is to cut off"
        case .management: "it passed as it goes to a service of management"
        case .allowedSource: "it passed as its source is allowed, to which no limits apply"
        case .notIPAllowed: "it passed though it is neither IP nor ARP, as \"notIP\" says"
        case .fragmentAllowed: "it passed as an IP fragment, as \"fragments\" says"
        case .malformedAllowed: "it passed though it can't be parsed, as \"malformed\" says"
        case .malformed: "it was dropped as it can't be parsed, as \"malformed\" says"
        case .notIP: "it was dropped as it is neither IP nor ARP, as \"notIP\" says"
        case .fragment: "it was dropped as an IP fragment, as \"fragments\" says"
        case .banned: "it was dropped as its source overran a limit with a ban"
        case .deniedSource: "it was dropped as its source is denied"
        case .deniedPort: "it was dropped as the port that it goes to is denied"
        case .deniedSourcePort: "it was dropped as the port that it comes from is denied"
        case .deniedProtocol: "it was dropped as its protocol is denied"
        case .policy: "it was dropped as no list names it, and the policy is to deny"
        }
    }
}

/// Why the filter let a packet pass, or dropped it.
public enum FilterVerdict: Hashable, Sendable {
    /// For a reason that has nothing to do with limits.
    case reason(FilterReason)
    /// This limit had no room for it: its place in the rules.
    case limit(Int)

    /// Whether the packet passes, unless in a dry run all do.
    public var passes: Bool {
        switch self {
        case .reason(let reason): reason.passes
        case .limit: false
        }
    }

    /// Reads what the program says, whose limits have these numbers; nil if that is nothing that can be.
    init?(_ reason: UInt32, numbers: [UInt32]) {
        if let known = FilterReason(rawValue: reason) {
            self = .reason(known)
        } else if let limit = numbers.firstIndex(where: {
            LimitNumbers.place(of: $0) + APUS_DROP_LIMIT.rawValue == reason
        }) {
            self = .limit(limit)
        } else {
            return nil
        }
    }
}
