#if !DPDK
    import ApusPorts
    import ApusRings

    // What takes the place of DPDK's in a build without it: types of which there can be no value, so that all else is written
    // once.

    /// No port over DPDK.
    enum DPDKDriver: CountingDriver {
        mutating func receive(into burst: inout Burst) -> Int { switch self {} }
        mutating func transmit(_ burst: inout Burst) -> Int { switch self {} }
        mutating func flush() {}
        var pool: FramePool {
            _read { preconditionFailure("there is no value of this type") }
            _modify { preconditionFailure("there is no value of this type") }
        }
        func canSend(_ packet: borrowing Packet) -> Bool { switch self {} }
        var framesInside: Int { switch self {} }
        var readyDescriptor: Int32 { switch self {} }
        var maximumPacketSize: Int { switch self {} }
        var grant: PortGrant { switch self {} }
        func counted() -> PortStatistics { switch self {} }
        mutating func statistics() -> PortStatistics { switch self {} }
    }
#endif
