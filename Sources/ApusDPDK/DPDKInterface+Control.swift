import CDPDK

/// A counter of a device's own, by DPDK's name for it.
public struct DPDKStatistic: Sendable, Hashable {
    /// `rx_good_packets`, or one that only this driver has.
    public let name: String
    /// Since the device was opened.
    public let value: UInt64
}

/// For the control thread: each asks the device, some for a millisecond.
extension DPDKInterface {
    /// All that the device counts, by name. What its driver could not send is `tx_errors`, of some
    /// drivers once for each attempt.
    public func extendedStatistics() -> [DPDKStatistic] {
        // With room for none it only says how many there are.
        let count = Int(apus_port_xstats(port, nil, 0))
        guard count > 0 else { return [] }
        var names = [UInt8](repeating: 0, count: 64 * count)
        var values = [UInt64](repeating: 0, count: count)
        let got = unsafe names.withUnsafeMutableBytes { bytes in
            // Sound: a name has 64 octets, the last of which is 0.
            unsafe apus_port_xstat_names(
                port, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), UInt32(count))
        }
        guard got == count, unsafe apus_port_xstats(port, &values, UInt32(count)) == count else { return [] }
        return (0..<count).map { number in
            let name = names[64 * number..<64 * (number + 1)].prefix { $0 != 0 }
            return DPDKStatistic(name: String(decoding: name, as: UTF8.self), value: values[number])
        }
    }

    /// Changes the longest packet that it takes, without the Ethernet header, for its ports too. Many devices refuse it while they
    /// run, or a length that their frames don't hold.
    public func setMTU(_ mtu: Int) throws(DPDKError) {
        guard (68...65535).contains(mtu) else {
            throw DPDKError(name, .badSize("the MTU is 68 to 65535, not \(mtu)"))
        }
        try change("setting the MTU to \(mtu)") { apus_port_set_mtu(port, UInt16(mtu)) }
        currentMTU.store(mtu, ordering: .relaxed)
    }

    /// Has packets to all addresses come, or only those to its own and to groups.
    public func setPromiscuous(_ isPromiscuous: Bool) throws(DPDKError) {
        try change("\(isPromiscuous ? "asking for" : "refusing") packets to all addresses") {
            apus_port_set_promiscuous(port, isPromiscuous)
        }
    }

    private func change(_ step: String, _ body: () -> Int32) throws(DPDKError) {
        EAL.beginChange()
        defer { EAL.endChange() }
        let changed = EALLog.collecting(body)
        guard changed.result >= 0 else {
            throw DPDKError(name, .notSetUp(step: step, code: -changed.result, log: changed.log))
        }
    }
}
