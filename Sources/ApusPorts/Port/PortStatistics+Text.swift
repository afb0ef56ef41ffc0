extension PortDrops: CustomStringConvertible {
    /// The reasons for which packets were dropped: `pool_empty 3, too_long 1`, or `none`.
    public var description: String {
        let counted = PortDrop.allCases.filter { self[$0] > 0 }
        return counted.isEmpty ? "none" : counted.map { "\($0.label) \(self[$0])" }.joined(separator: ", ")
    }
}

extension PortStatistics: CustomStringConvertible {
    /// One line: `received 200 packets, 31900 bytes; sent 100 packets, 15950 bytes; dropped: too_long 1`.
    public var description: String {
        """
        received \(received) packets, \(receivedBytes) bytes; sent \(sent) packets, \(sentBytes) bytes; \
        dropped: \(drops)
        """
    }
}
