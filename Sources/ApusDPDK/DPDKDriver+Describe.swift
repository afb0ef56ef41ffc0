import ApusPorts
import ApusRings
import ApusWire
import CDPDK
import CLinux
import Glibc

/// What is wanted of received packets beside their bytes. Apart from the loop that receives, which only asks whether there is
/// anything: what the device has not done for a packet is done here, so that all packets come out alike.
extension DPDKDriver {
    /// Fills it in for the packets of a burst from that position on. Gives the octets that were taken off them.
    @inline(never)
    mutating func describe(_ burst: inout Burst, from first: Int) -> Int {
        var (now, octets): (UInt64, Int) = (0, 0)
        if offloads.clock.source != .none {
            now = apus_clock(CLOCK_REALTIME)
            offloads.clock.follow(port, now: now)
        }
        for position in first..<burst.count {
            let frame = unsafe burst.rawFrame(at: position)
            let header = unsafe frame.header
            // Sound: a received frame has an mbuf in front of it, which DPDK has filled in.
            let mbuf = unsafe Mbuf.of(header)
            let flags = unsafe mbuf.pointee.ol_flags
            // Before the tag goes, which the hash passes over.
            if offloads.hashes {
                if offloads.deviceHashes && flags & APUS_MBUF_RX_RSS_HASH != 0 {
                    unsafe header.pointee.flowHash = mbuf.pointee.rss
                    unsafe header.pointee.flags.insert(.flowHash)
                } else {
                    unsafe hash(frame)
                }
            }
            if offloads.stripsTags {
                if flags & APUS_MBUF_RX_VLAN_STRIPPED != 0 {
                    unsafe header.pointee.vlan = mbuf.pointee.vlan_tci
                    unsafe header.pointee.flags.insert(.vlanTag)
                } else {
                    let length = unsafe header.pointee.length
                    unsafe frame.stripTag()
                    octets &+= unsafe Int(length &- header.pointee.length)
                }
            }
            if now != 0 { unsafe stamp(frame, mbuf, flags, now) }
        }
        return octets
    }

    @inline(__always)
    private func hash(_ frame: Frame) {
        let header = unsafe frame.header
        // Sound: these are the octets of the packet, and nobody writes to them meanwhile.
        let bytes = unsafe RawSpan(
            _unsafeStart: UnsafeRawPointer(frame.data), byteCount: Int(header.pointee.length))
        guard let hash = ToeplitzKey.symmetricHash(of: bytes) else { return }
        unsafe header.pointee.flowHash = hash
        unsafe header.pointee.flags.insert(.flowHash)
    }

    @inline(__always)
    private func stamp(
        _ frame: Frame, _ mbuf: UnsafeMutablePointer<apus_mbuf>, _ flags: UInt64, _ now: UInt64
    ) {
        guard flags & offloads.clock.flag != 0 else {
            unsafe frame.header.pointee.timestamp = now
            return
        }
        // Sound: DPDK has given this place of all mbufs to it.
        let ticks = unsafe UnsafeRawPointer(mbuf).load(fromByteOffset: offloads.clock.offset, as: UInt64.self)
        unsafe frame.header.pointee.timestamp = offloads.clock.nanoseconds(of: ticks)
        if offloads.clock.source == .ticks { unsafe frame.header.pointee.flags.insert(.hardwareTimestamp) }
    }

    /// The packet with a tag put back that the device has taken off though nobody wants it to: some always do.
    func restored(_ mbuf: UnsafeMutablePointer<apus_mbuf>) -> UnsafeMutablePointer<apus_mbuf> {
        let flags = unsafe mbuf.pointee.ol_flags
        guard flags & unusual & APUS_MBUF_RX_VLAN_STRIPPED != 0, unsafe mbuf.pointee.data_off >= 4 else {
            return unsafe mbuf
        }
        let header = unsafe Mbuf.header(of: mbuf)
        unsafe header.pointee.offset = UInt32(mbuf.pointee.data_off) &+ UInt32(FramePool.headerSize)
        unsafe header.pointee.length = UInt32(mbuf.pointee.data_len)
        unsafe header.pointee.vlan = mbuf.pointee.vlan_tci
        guard unsafe Frame(header: header).insertTag() else { return unsafe mbuf }
        unsafe mbuf.pointee.data_off = UInt16(truncatingIfNeeded: header.pointee.offset &- 64)
        unsafe mbuf.pointee.data_len = UInt16(truncatingIfNeeded: header.pointee.length)
        return unsafe mbuf
    }
}
