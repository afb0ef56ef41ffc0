import ApusPorts
import ApusRings
import CXDP

/// One attempt to bind: with or without zero-copy and multi-buffer.
struct BindRequest: Hashable {
    let zeroCopy: Bool
    let segments: Bool

    /// The attempts in order, best first. Later sockets over one memory inherit what the first got.
    static func all(
        for options: XDPOptions, _ mode: XDPMode, _ steering: XDPProgramGrant?, isShared: Bool
    ) -> [BindRequest] {
        if isShared { return [BindRequest(zeroCopy: false, segments: false)] }
        let zeroCopy: [Bool] =
            switch options.zeroCopy {
            case .required: [true]
            case .preferred: mode == .native ? [true, false] : [false]
            case .never: [false]
            }
        let segments: [Bool] =
            switch options.multiBuffer {
            case .required: [true]
            case .preferred: steering?.takesFragments == false ? [false] : [true, false]
            case .never: [false]
            }
        return zeroCopy.flatMap { zeroCopy in
            segments.map { BindRequest(zeroCopy: zeroCopy, segments: $0) }
        }
    }

    /// The flags of struct sockaddr_xdp.
    func flags(_ options: XDPOptions) -> UInt16 {
        var flags = zeroCopy ? XDP_ZEROCOPY : XDP_COPY
        if options.needWakeup { flags |= XDP_USE_NEED_WAKEUP }
        if segments { flags |= Int32(APUS_XDP_USE_SG) }
        return UInt16(flags)
    }
}

/// What was asked for and granted, for a ``PortGrant``.
struct XDPFeatures {
    let interface: String
    let options: XDPOptions
    let mode: XDPMode
    let modeReasons: [String]
    let steering: XDPProgramGrant?
    let isZeroCopy: Bool
    let takesSegments: Bool
    let busyPoll: Int32?
    let reasons: [BindRequest: String]
    let memory: MemoryGrant

    var list: [PortGrant.Feature] {
        var list = [
            PortGrant.Feature(
                "XDP mode", requested: options.mode.rawValue, granted: mode.rawValue,
                reason: mode == .generic && options.mode == .best ? modeReasons.joined(separator: "; ") : nil),
            PortGrant.Feature(
                "zero-copy", requested: options.zeroCopy.rawValue, granted: isZeroCopy ? "yes" : "no",
                reason: options.zeroCopy == .preferred && !isZeroCopy ? zeroCopyReason : nil),
            PortGrant.Feature(
                "multi-buffer", requested: options.multiBuffer.rawValue,
                granted: takesSegments ? "yes" : "no",
                reason: options.multiBuffer == .preferred && !takesSegments ? segmentsReason : nil),
            PortGrant.Feature(
                "need-wakeup", requested: options.needWakeup ? "yes" : "no",
                granted: options.needWakeup ? "yes" : "no"),
            PortGrant.Feature(
                "pages", requested: memory.requested.rawValue, granted: memory.pages.rawValue,
                reason: memory.reason),
        ]
        if let node = memory.nodeFeature { list.append(node) }
        if let busyPoll {
            list.append(
                PortGrant.Feature(
                    "busy-poll", requested: "yes", granted: busyPoll == 0 ? "yes" : "no",
                    reason: busyPoll == 0 ? nil : message(-busyPoll)))
        }
        if mode == .generic {
            list.append(
                PortGrant.Feature(
                    "merged datagrams", requested: "parted", granted: "not parted",
                    reason:
                        "generic mode is not told which packets are several datagrams: those that a sender hands over "
                        + "as one (UDP_SEGMENT over veth) or that receive offload joins come as one, or, beyond the MTU, "
                        + "stay the kernel's; `ethtool -K \(interface) rx-udp-gro-forwarding off rx-gro-list off` keeps "
                        + "it from the latter"))
        }
        if let steering {
            list.append(
                PortGrant.Feature(
                    "dispatcher", requested: "yes", granted: steering.usesDispatcher ? "yes" : "no",
                    reason: steering.usesDispatcher ? nil : steering.remarks.joined(separator: "; ")))
        }
        return list
    }

    private var zeroCopyReason: String {
        if mode == .generic { return "generic mode has none" }
        let refused = reasons.first { $0.key.zeroCopy }?.value
        return refused.map { "the driver refused it: \($0)" }
            ?? "the memory is shared with an interface that has none"
    }

    private var segmentsReason: String {
        if steering?.takesFragments == false { return "not all XDP programs on the interface take fragments" }
        let refused = reasons.first { $0.key.segments && $0.key.zeroCopy == isZeroCopy }?.value
        return refused.map { "the kernel refused it, which needs Linux 6.6: \($0)" }
            ?? "the memory is shared with an interface that has none"
    }
}
