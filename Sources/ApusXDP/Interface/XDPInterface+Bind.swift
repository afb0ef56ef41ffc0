internal import ApusHost
import ApusPorts
import ApusRings
import CXDP
import Glibc

// What a queue of an interface gets.
extension XDPInterface {
    /// Binds a socket to the queue with the best flags that can be had.
    func bind(_ queue: Int, _ pool: UnsafeMutablePointer<FramePool>) throws(XDPError) -> XDPQueue {
        guard let current = try about(name, { () throws(BPFError) in try interfaceName(index) }) else {
            throw XDPError(name, .noSuchInterface(existing: interfaceNames()))
        }
        let rings = XSKRings()
        var reasons: [BindRequest: String] = [:]
        var last: (code: Int32, detail: String) = (0, "")
        for request in BindRequest.all(for: options, mode, steering?.grant, isShared: memory.isBound) {
            // A queue that was closed a moment ago is let go of by the kernel in a work item.
            for attempt in 0..<20 {
                rings.clear()
                let opened = memory.open(
                    current, queue: queue, flags: request.flags(options), receiveRing: options.receiveRing,
                    transmitRing: options.transmitRing, rings: rings)
                switch opened {
                case .socket(let socket):
                    return try unsafe accept(socket, queue, rings, pool, request, reasons)
                case .failed(let code, let detail):
                    last = (code, detail)
                }
                guard last.code == EBUSY, attempt < 19 else { break }
                usleep(10_000)
            }
            reasons[request] = message(last.code)
            guard [EOPNOTSUPP, EINVAL, EBUSY, ENOSPC, ENXIO].contains(last.code) else { break }
        }
        rings.deallocate()
        throw XDPError(name, cause(last, queue))
    }

    private func cause(_ last: (code: Int32, detail: String), _ queue: Int) -> XDPError.Cause {
        let bytes = memory.frames.slotCount * memory.frames.frameSize.rawValue
        return switch last.code {
        case EPERM, EACCES:
            .notPermitted(
                missing: Capability.missing(of: [.netRaw, .netAdmin]), doing: "open an AF_XDP socket")
        case EBUSY: .queueBusy(queue)
        case ENOBUFS: .lockedMemory(needed: bytes)
        case ENODEV: .noSuchInterface(existing: interfaceNames())
        case EAFNOSUPPORT:
            .failed("socket(AF_XDP)", code: last.code, detail: "this kernel was built without XDP_SOCKETS")
        case _ where options.zeroCopy == .required || options.multiBuffer == .required:
            .lesserGrant(
                required: [
                    options.zeroCopy == .required ? "zero-copy" : nil,
                    options.multiBuffer == .required ? "multi-buffer" : nil,
                ].compactMap(\.self).joined(separator: " and "),
                reasons: [message(last.code) + "; the driver or kernel has it not"])
        default: .failed("binding queue \(queue)", code: last.code, detail: last.detail)
        }
    }

    private func accept(
        _ socket: XSKHandle, _ queue: Int, _ rings: XSKRings,
        _ pool: UnsafeMutablePointer<FramePool>, _ request: BindRequest, _ reasons: [BindRequest: String]
    ) throws(XDPError) -> XDPQueue {
        let descriptor = socket.descriptor
        apus_xdp_send_buffer(descriptor, Int32(clamping: options.transmitRing * 4096))
        let busyPoll = options.busyPoll.map {
            apus_xdp_busy_poll(descriptor, Int32(clamping: $0.microseconds), Int32(clamping: $0.budget))
        }
        let isZeroCopy = apus_xdp_is_zero_copy(descriptor) != 0
        let takesSegments = memory.settle(request)
        // A socket over shared memory has inherited what the first one got.
        let missing = [
            options.zeroCopy == .required && !isZeroCopy ? "zero-copy" : nil,
            options.multiBuffer == .required && !takesSegments ? "multi-buffer" : nil,
        ].compactMap(\.self)
        guard missing.isEmpty else {
            memory.close(socket)
            rings.deallocate()
            throw XDPError(
                name,
                .lesserGrant(
                    required: missing.joined(separator: " and "),
                    reasons: ["the memory is shared with an interface that has none"]))
        }
        let features = XDPFeatures(
            interface: name, options: options, mode: mode, modeReasons: modeReasons,
            steering: steering?.grant,
            isZeroCopy: isZeroCopy, takesSegments: takesSegments, busyPoll: busyPoll, reasons: reasons,
            memory: unsafe memory.frames.grant(of: pool.pointee))
        return unsafe XDPQueue(
            self, queue: queue, socket: socket, rings: rings, pool: pool, isZeroCopy: isZeroCopy,
            takesSegments: takesSegments,
            grant: PortGrant(backend: .xdp, interface: name, queue: queue, features: features.list))
    }
}
