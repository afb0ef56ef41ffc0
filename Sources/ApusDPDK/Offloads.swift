import ApusPorts
import CDPDK
import Glibc

/// Who does what is wanted beside moving packets: what is not the device's is done in software.
struct Offloads: Sendable {
    /// Whether the device checks the UDP checksums of received packets; nobody else does before who looks at them.
    var checksChecksums = false
    /// Of those of sent packets, which the device completes: `APUS_TX_UDP_CKSUM`, `APUS_TX_TCP_CKSUM`.
    var completedChecksums: UInt64 = 0
    /// Whether tags are taken off received packets, by whomever.
    var stripsTags = false
    /// Whether the device takes them off, and whether it puts them back.
    var (deviceStrips, deviceInserts) = (false, false)
    /// Whether received packets get the hash of their flow, and whether the device has it.
    var (hashes, deviceHashes) = (false, false)
    /// How the time of received packets is had.
    var clock = DeviceClock()

    /// Whether more is wanted of received packets than their bytes.
    var describes: Bool { stripsTags || hashes || clock.source != .none }

    /// What of it the device can.
    init(_ info: apus_port_info, _ options: DPDKOptions) {
        func can(_ offload: UInt64) -> Bool { info.rx_offloads & offload != 0 }
        checksChecksums = options.checksumOffload && can(APUS_RX_UDP_CKSUM)
        completedChecksums =
            options.checksumOffload ? info.tx_offloads & (APUS_TX_UDP_CKSUM | APUS_TX_TCP_CKSUM) : 0
        stripsTags = options.vlan == .strip
        deviceStrips = stripsTags && can(APUS_RX_VLAN_STRIP)
        // Only beside the other: of Intel's cards one switch is for both.
        deviceInserts = deviceStrips && info.tx_offloads & APUS_TX_VLAN_INSERT != 0
        hashes = options.flowHash
        // One hash for all: by a key that can be set, over the ports where there are some.
        deviceHashes =
            hashes && can(APUS_RX_RSS_HASH) && (1...128).contains(info.rss_key_size)
            && info.rss_types & APUS_RSS_PORTS == APUS_RSS_PORTS
    }

    init() {}

    /// What is asked of the device when packets are received.
    var receiveFlags: UInt64 {
        (checksChecksums ? APUS_RX_UDP_CKSUM : 0) | (deviceStrips ? APUS_RX_VLAN_STRIP : 0)
            | (deviceHashes ? APUS_RX_RSS_HASH : 0) | (clock.source == .ticks ? APUS_RX_TIMESTAMP : 0)
    }

    /// What is asked of it when packets are sent.
    var transmitFlags: UInt64 { completedChecksums | (deviceInserts ? APUS_TX_VLAN_INSERT : 0) }

    /// What was asked for, who does it, and why not the device.
    func features(_ options: DPDKOptions, missing: String) -> [PortGrant.Feature] {
        func feature(_ name: String, _ isWanted: Bool, _ isDevice: Bool) -> PortGrant.Feature {
            PortGrant.Feature(
                name, requested: isWanted ? "device" : "no",
                granted: isWanted ? isDevice ? "device" : "software" : "no",
                reason: isWanted && !isDevice ? missing : nil)
        }
        let completes = completedChecksums == APUS_TX_UDP_CKSUM | APUS_TX_TCP_CKSUM
        return [
            PortGrant.Feature(
                "UDP checksum", requested: options.checksumOffload ? "device" : "software",
                granted: checksChecksums ? "device" : "software",
                reason: options.checksumOffload && !checksChecksums ? missing : nil),
            PortGrant.Feature(
                "transmit checksum", requested: options.checksumOffload ? "device" : "software",
                granted: completes ? "device" : "software",
                reason: options.checksumOffload && !completes ? missing : nil),
            feature("VLAN strip", stripsTags, deviceStrips),
            feature("VLAN insert", stripsTags, deviceInserts),
            feature("flow hash", hashes, deviceHashes),
            feature("receive timestamps", options.timestamps, clock.isDevice),
        ]
    }
}
