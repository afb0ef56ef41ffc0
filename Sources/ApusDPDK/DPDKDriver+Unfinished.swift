import ApusPorts
import ApusRings
import ApusWire
import CDPDK

/// Packets of which something is left to the port that sends them: a tag to be put in, a checksum to be completed. Apart from
/// the loop that sends all others, which stops at the first of these.
extension DPDKDriver {
    /// Sends from the front of a burst whose first packet is such a one, up to the first that is no single frame of DPDK's: what
    /// the device can is asked of it, the rest is done in software. `nil` when the first is none that can be sent so.
    @inline(never)
    mutating func transmitUnfinished(_ burst: inout Burst) -> Int? {
        let (mbufs, limit) = unsafe (mbufs, interface.longestPacket)
        var (ready, octets) = (0, 0)
        while ready < burst.count {
            let frame = unsafe burst.rawFrame(at: ready)
            guard unsafe frame.header.pointee.next == nil, unsafe FramePool.isForeign(frame.header) else {
                break
            }
            // Sound: a frame of a pool of DPDK's has an mbuf in front of it.
            let mbuf = unsafe Mbuf.of(frame.header)
            guard let asked = unsafe ask(frame, mbuf) else { break }
            let length = unsafe Int(frame.header.pointee.length) + (asked & APUS_MBUF_TX_VLAN != 0 ? 4 : 0)
            guard length >= Int(Self.shortest), length <= limit else { break }
            unsafe mbuf.pointee.data_off = UInt16(truncatingIfNeeded: frame.header.pointee.offset &- 64)
            unsafe mbuf.pointee.data_len = UInt16(truncatingIfNeeded: frame.header.pointee.length)
            unsafe mbuf.pointee.pkt_len = frame.header.pointee.length
            unsafe mbuf.pointee.ol_flags = asked
            unsafe mbufs[ready] = unsafe mbuf
            ready += 1
        }
        if ready == 0 { return nil }
        let able = Int(unsafe apus_port_prepare(port, queue, mbufs, UInt16(ready)))
        // The device's driver may have done its part in the packet itself, which a second attempt has to know.
        for i in 0..<min(ready, able + 1) { unsafe takeOver(mbufs[i].unsafelyUnwrapped) }
        for i in 0..<able { octets &+= unsafe Self.octets(of: mbufs[i].unsafelyUnwrapped) }
        let taken = able == 0 ? 0 : Int(unsafe apus_port_transmit(port, queue, mbufs, UInt16(able)))
        for i in taken..<able { octets &-= unsafe Self.octets(of: mbufs[i].unsafelyUnwrapped) }
        unsafe burst.forgetFirst(taken)
        outside &-= taken
        (hasSent, isHolding) = (true, true)
        counters.sent &+= UInt64(truncatingIfNeeded: taken)
        counters.sentBytes &+= UInt64(truncatingIfNeeded: octets)
        if taken < able { return taken }
        // The next is one that the device won't do.
        if able < ready, unsafe !burst.rawFrame(at: 0).finish() {
            return taken + drop(.sendRefused, from: &burst)
        }
        return taken + transmit(&burst)
    }

    /// The flags that ask the device for what is left of a packet; what it can't is done. `nil` when a tag can't be put in.
    private func ask(_ frame: Frame, _ mbuf: UnsafeMutablePointer<apus_mbuf>) -> UInt64? {
        var asked: UInt64 = 0
        let header = unsafe frame.header
        if unsafe header.pointee.flags.contains(.vlanTag) {
            if offloads.deviceInserts, unsafe !Self.isTagged(frame) {
                unsafe mbuf.pointee.vlan_tci = header.pointee.vlan
                asked |= APUS_MBUF_TX_VLAN
            } else if unsafe !frame.insertTag() {
                return nil
            }
        }
        guard unsafe header.pointee.flags.contains(.checksumPartial) else { return asked }
        // Sound: the frame is this driver's for the time, and stays in the burst.
        let packet = unsafe Packet(adopting: frame)
        if let place = packet.transportChecksum, let request = request(place, packet.count) {
            unsafe mbuf.pointee.tx_offload =
                UInt64(place.networkOffset) | UInt64(place.transportOffset - place.networkOffset)
                << UInt64(APUS_MBUF_L3_SHIFT)
            asked |= request
        } else {
            unsafe frame.completeChecksum()
        }
        unsafe _ = packet.takeFrame()
        return asked
    }

    /// Whether a tag would be put in front of another one: there are devices that put it in its place.
    private static func isTagged(_ frame: Frame) -> Bool {
        guard unsafe frame.header.pointee.length >= 14 else { return false }
        // Sound: so many octets are there.
        let type = unsafe frame.data.loadUnaligned(fromByteOffset: 12, as: UInt16.self)
        return EtherType(rawValue: type.bigEndian).isVLAN
    }

    /// What asks the device for a checksum. `nil` where it can't, or would come to another: it sums to the end of the packet,
    /// DPDK takes the length and the protocol of the pseudo header from the IP header, and not all look behind two tags.
    private func request(_ place: TransportChecksum, _ count: Int) -> UInt64? {
        let isUDP = place.protocolNumber == .udp
        guard offloads.completedChecksums & (isUDP ? APUS_TX_UDP_CKSUM : APUS_TX_TCP_CKSUM) != 0,
            place.networkOffset <= 18, !place.hasExtensions, place.transportOffset + place.byteCount == count
        else { return nil }
        return (isUDP ? APUS_MBUF_TX_UDP_CKSUM : APUS_MBUF_TX_TCP_CKSUM)
            | (place.isIPv6 ? APUS_MBUF_TX_IPV6 : APUS_MBUF_TX_IPV4)
    }

    /// Has the header of a frame say what became of the packet when it was prepared.
    private func takeOver(_ mbuf: UnsafeMutablePointer<apus_mbuf>) {
        let header = unsafe Mbuf.header(of: mbuf)
        unsafe header.pointee.offset = UInt32(mbuf.pointee.data_off) &+ UInt32(FramePool.headerSize)
        unsafe header.pointee.length = UInt32(mbuf.pointee.data_len)
        if unsafe mbuf.pointee.ol_flags & APUS_MBUF_TX_VLAN == 0 {
            unsafe header.pointee.flags.remove(.vlanTag)
        }
    }

    /// The octets of a packet when it has left.
    private static func octets(of mbuf: UnsafeMutablePointer<apus_mbuf>) -> Int {
        unsafe Int(mbuf.pointee.data_len) + (mbuf.pointee.ol_flags & APUS_MBUF_TX_VLAN != 0 ? 4 : 0)
    }
}
