/// How an XDP program of Apus sits on its interface.
public struct XDPProgramGrant: Sendable, Hashable {
    /// Native or generic.
    public let mode: XDPMode
    /// Whether libxdp's dispatcher calls it, so that other XDP programs can be beside it.
    public let usesDispatcher: Bool
    /// Whether frames of several buffers (jumbo frames) reach it.
    public let takesFragments: Bool
    /// The other XDP programs on the interface.
    public let others: [String]
    /// What differs from the best grant and why, and what was cleaned up, one sentence each.
    public let remarks: [String]
}
