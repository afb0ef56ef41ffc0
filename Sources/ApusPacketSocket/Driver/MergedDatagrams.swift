import ApusWire
import CLinux
import Glibc

/// Several datagrams of one flow that the kernel has merged into one packet: how to part them again.
///
/// They have the headers of the first, with the lengths of all: those of one send(2) with UDP_SEGMENT (udp(7)) that
/// come by a link without a device, and those that receive offload has joined.
@unsafe
struct MergedDatagrams {
    /// The packet, without a tag that the kernel has taken off.
    private let data: UnsafeMutableRawPointer
    private let headers: FlowHeaders
    /// Octets of payload of each but the last, which may have less.
    private let size: Int
    /// Octets of payload that are done with.
    private var done = 0

    /// Reads the headers; `nil` where they are not those of UDP, or belong to a tunnel around it.
    init?(at data: UnsafeMutableRawPointer, byteCount: Int, _ kernel: VirtioHeader) {
        // Sound: the caller vouches for `byteCount` octets at `data`, of which `checking` reads no more.
        let frame = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(data), byteCount: byteCount)
        guard let headers = try? FlowHeaders(checking: frame), kernel.segmentSize > 0,
            headers.payloadLength > 0,
            // What is computed last is the innermost checksum; of packets that came with it there is no tunnel.
            !kernel.needsChecksum || kernel.checksumStart == headers.transportOffset
        else { return nil }
        unsafe self.data = data
        unsafe self.headers = headers
        unsafe size = kernel.segmentSize
    }

    /// How many are left.
    var count: Int { unsafe (headers.payloadLength &- done &+ size &- 1) / size }

    /// Octets of the next one's payload.
    private var nextSize: Int { unsafe min(size, headers.payloadLength &- done) }

    /// Octets of the next one, without a tag.
    var nextLength: Int { unsafe headers.payloadOffset &+ nextSize }

    /// Writes the next one, `nextLength` octets, with `tag` octets of room behind the addresses: its own lengths,
    /// identification and checksums, as the kernel's `__udp_gso_segment` and `inet_gso_segment` do it.
    mutating func writeNext(to target: UnsafeMutableRawPointer, tag: Int) {
        let count = unsafe headers.payloadOffset
        // Sound: the headers and this piece of the payload lie in the packet, whose headers were checked, and the
        // caller vouches for the target.
        unsafe _ = memcpy(target, data, 12)
        unsafe _ = memcpy(target + 12 + tag, data + 12, count &- 12)
        unsafe _ = memcpy(target + tag + count, data + count + done, nextSize)
        let network = unsafe target + tag + Int(headers.networkOffset)
        let transport = unsafe target + tag + Int(headers.transportOffset)
        let udpLength = unsafe 8 &+ nextSize
        let headerLength = unsafe Int(headers.transportOffset) &- Int(headers.networkOffset)
        var checksum: InternetChecksum
        switch unsafe (headers.sourceAddress, headers.destinationAddress) {
        case (.v4(let source), .v4(let destination)):
            unsafe Self.put(headerLength &+ udpLength, at: network + 2)
            let identification = unsafe UInt16(
                bigEndian: network.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
            unsafe Self.put(Int(identification) &+ done / size, at: network + 4)
            unsafe Self.put(0, at: network + 10)
            let header = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(network), byteCount: headerLength)
            unsafe Self.put(Int(InternetChecksum.of(header)), at: network + 10)
            checksum = InternetChecksum(pseudoHeader: source, destination, .udp, length: udpLength)
        case (.v6(let source), .v6(let destination)):
            unsafe Self.put(headerLength &- 40 &+ udpLength, at: network + 4)
            checksum = InternetChecksum(pseudoHeader: source, destination, .udp, length: udpLength)
        default: checksum = InternetChecksum()
        }
        unsafe Self.put(udpLength, at: transport + 4)
        unsafe Self.put(0, at: transport + 6)
        // The kernel has verified the checksums of what it merged, or was to compute that of the whole.
        checksum.add(unsafe RawSpan(_unsafeStart: UnsafeRawPointer(transport), byteCount: udpLength))
        unsafe Self.put(Int(checksum.udpValue), at: transport + 6)
        unsafe done &+= nextSize
    }

    private static func put(_ number: Int, at address: UnsafeMutableRawPointer) {
        unsafe address.storeBytes(of: UInt16(truncatingIfNeeded: number).bigEndian, as: UInt16.self)
    }
}

/// What the kernel tells of a packet in front of it: `struct virtio_net_hdr` of linux/virtio_net.h, in this machine's
/// byte order.
struct VirtioHeader {
    private let flags: UInt8
    private let kind: UInt8
    /// Octets of payload of each merged datagram but the last.
    let segmentSize: Int
    /// Where the octets begin over which a checksum is still to be computed.
    let checksumStart: Int

    /// Octets of it.
    static var byteCount: Int { 10 }

    init(in packet: UnsafeMutableRawPointer) {
        unsafe flags = packet.load(as: UInt8.self)
        unsafe kind = packet.load(fromByteOffset: 1, as: UInt8.self)
        segmentSize = unsafe Int(packet.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        checksumStart = unsafe Int(packet.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
    }

    /// VIRTIO_NET_HDR_F_NEEDS_CSUM
    var needsChecksum: Bool { flags & 1 != 0 }

    /// VIRTIO_NET_HDR_GSO_UDP_L4: it is several datagrams. (TCP has kinds of its own.)
    @inline(__always)
    static func isMerged(_ packet: UnsafeMutableRawPointer) -> Bool {
        // Sound: where there is this header, it ends where the packet begins.
        unsafe packet.load(fromByteOffset: 1 - byteCount, as: UInt8.self) == 5
    }
}
