public import ApusPorts
import ApusRings
import CXDP
import Synchronization

/// The kernel's own counters of an AF_XDP socket: XDP_STATISTICS of linux/if_xdp.h.
public struct XDPStatistics: Sendable, Hashable {
    /// Packets dropped for other reasons than a full ring: too long, or no free frame.
    public var receiveDropped: UInt64 = 0
    /// Entries of the fill ring the kernel refused.
    public var receiveInvalidDescriptors: UInt64 = 0
    /// Entries of the TX ring the kernel refused; among them those taken back while the interface was down.
    public var transmitInvalidDescriptors: UInt64 = 0
    /// Packets dropped since the RX ring was full. Linux 5.9 and later.
    public var receiveRingFull: UInt64 = 0
    /// How often the kernel wanted a frame and found the fill ring empty. Linux 5.9 and later.
    public var fillRingEmpty: UInt64 = 0
    /// How often the kernel wanted to send and found the TX ring empty. Linux 5.9 and later.
    public var transmitRingEmpty: UInt64 = 0
}

extension XDPDriver {
    /// The kernel's counters of this socket. A system call.
    public var kernelStatistics: XDPStatistics {
        var read = apus_xdp_statistics()
        guard unsafe apus_xdp_read_statistics(readyDescriptor, &read) == 0 else { return XDPStatistics() }
        return XDPStatistics(
            receiveDropped: read.rx_dropped, receiveInvalidDescriptors: read.rx_invalid_descs,
            transmitInvalidDescriptors: read.tx_invalid_descs, receiveRingFull: read.rx_ring_full,
            fillRingEmpty: read.rx_fill_ring_empty_descs, transmitRingEmpty: read.tx_ring_empty_descs)
    }

    /// Counters since it was opened: ours and the kernel's. Also looks whether the MTU was changed. A few
    /// system calls, and a look at each packet in the TX ring.
    public mutating func statistics() -> PortStatistics {
        unsafe control._withUnsafeGuaranteedRef { $0.readMTU() }
        var result = counters
        let waiting = pendingInRing()
        result.sent &-= waiting.packets
        result.sentBytes &-= waiting.octets
        result.pending = waiting.packets
        let kernel = kernelStatistics
        result.drops[.receiveRingFull] &+= kernel.receiveRingFull
        // A drop for want of a frame is among rx_dropped too; the rest of that is the kernel's.
        let starved = min(kernel.fillRingEmpty, kernel.receiveDropped)
        result.drops[.fillRingEmpty] &+= starved
        result.drops[.kernel] &+= kernel.receiveDropped &- starved
        // Those that were withdrawn are counted as `linkDown` already.
        let voided = min(self.voided, kernel.transmitInvalidDescriptors)
        result.drops[.invalidDescriptor] &+=
            kernel.receiveInvalidDescriptors &+ kernel.transmitInvalidDescriptors &- voided
        return result
    }

    /// The last figures, of a port that is about to be closed: what was taken leaves first, until `deadline` (CLOCK_MONOTONIC,
    /// ns) at most, and what has not left by then never does. It is counted as `send_refused`. (The device of a zero-copy port
    /// may still send one of those, until the socket is closed.)
    package mutating func finish(by deadline: UInt64) -> PortStatistics {
        unsafe control._withUnsafeGuaranteedRef { $0.isFinished = true }
        return finishSending(by: deadline)
    }

    /// What the kernel has not consumed yet. Before Linux 6.17, which says with its next call only how far it came, this
    /// is an upper bound: of what it has consumed, that is left out which has come home.
    private mutating func pendingInRing() -> (packets: UInt64, octets: UInt64) {
        var (packets, octets): (UInt64, UInt64) = (0, 0)
        for offset in unsafe 0..<min(transmitRing.pending(), transmitRing.size) {
            let entry = unsafe transmitRing[pending: offset]
            let slot = entry.address >> shift
            // Made void, and not counted as sent any more; or sent.
            guard slot < slotCount, unsafe places[Int(slot)] == XDPQueue.Place.sending.rawValue else {
                continue
            }
            packets &+= entry.options & XDPDescriptor.continued == 0 ? 1 : 0
            octets &+= UInt64(entry.length)
        }
        return (packets, octets)
    }

    /// What was asked for and granted.
    public var grant: PortGrant { unsafe control._withUnsafeGuaranteedRef { $0.grant } }

    /// The socket: poll(2) reports it readable when packets can be received.
    public var readyDescriptor: Int32 { unsafe control._withUnsafeGuaranteedRef { $0.descriptor } }

    /// The longest packet it sends: the interface's MTU and the Ethernet header with one VLAN tag.
    public var maximumPacketSize: Int {
        unsafe control._withUnsafeGuaranteedRef {
            unsafe $0.maximumPacketSize.pointee.load(ordering: .relaxed)
        }
    }

    /// Frames inside: to receive into, being sent, and those the kernel returned by a descriptor that is not to
    /// be believed (`bad_descriptor`), which are out of use until the port is closed.
    public var framesInside: Int { Int(receiving &+ sending &+ withheld) }

    /// Frames of its memory can be sent without copying, and those of no other.
    public func canSend(_ packet: borrowing Packet) -> Bool {
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe packet.rawFrame.header
        while let header = unsafe next {
            let address = unsafe UInt64(bitPattern: Int64(UnsafeRawPointer(header) - UnsafeRawPointer(base)))
            if address >> shift >= slotCount { return false }
            unsafe next = header.pointee.next
        }
        return true
    }
}
