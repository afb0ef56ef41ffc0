/// Where an XDP program runs.
public enum XDPMode: String, Sendable, Hashable, CustomStringConvertible {
    /// In the driver, before the kernel has made a socket buffer of the frame.
    case native
    /// In the kernel's stack, on the socket buffer: works with every driver, and costs it.
    case generic

    /// `native` or `generic`.
    public var description: String { rawValue }
}
