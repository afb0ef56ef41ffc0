import ApusHost
public import ApusPorts
import ApusRings
public import ApusWire
import CXDP
import Glibc
import Synchronization

/// A network interface whose UDP datagrams come to this process through AF_XDP sockets.
///
/// ```swift
/// let interface = try XDPInterface("eth0")
/// try interface.add(Endpoint("192.0.2.1:5004")!)
/// var port = try interface.open(queue: 0)
/// ```
///
/// Open each of its ``queueCount`` queues: the device spreads flows over all of them, and what comes in by a
/// queue without a port goes to the kernel. Only what was asked for with ``add(_:)`` is taken; see
/// ``SteeringProgram``. The interface is given back when the last port and the last reference are gone.
///
/// Control plane: may be used from any thread, and costs system calls. Open, close and use it in one network
/// namespace.
public final class XDPInterface: Sendable {
    /// The name it was opened by.
    public let name: String
    /// The interface's index, by which it is asked for: it may be renamed, and the name go to another.
    let index: Int32
    /// What was wanted.
    public let options: XDPOptions
    /// The frames, which may be shared with other interfaces.
    public let memory: XDPMemory
    /// The XDP program; `nil` when the application brought its own.
    public let steering: SteeringProgram?
    /// Where the XDP program runs.
    public let mode: XDPMode
    let redirection: Redirection
    /// Why a better mode was not granted.
    private let modeReasons: [String]

    // The pointers are only used under the lock, but for the pool of an open queue, which is its port's.
    @safe private struct Queue: @unchecked Sendable {
        let pool: UnsafeMutablePointer<FramePool>
        var isOpen = false
    }
    private let queues = Mutex<[Int: Queue]>([:])

    /// Opens an interface and attaches the steering program to it.
    ///
    /// - Parameters:
    ///   - name: its name, in the network namespace of the calling thread.
    ///   - options: what is wanted.
    ///   - memory: frames to share with other interfaces; `nil` makes some for this one.
    public convenience init(
        _ name: String, _ options: XDPOptions = XDPOptions(), memory: XDPMemory? = nil
    ) throws(XDPError) {
        try self.init(name, options, memory: memory, kind: try interfaceKind(name))
    }

    /// Opens an interface that was deleted and made again under its name: with the same options, and with the frames
    /// that its queues had, which makes the memory it may share with others last.
    ///
    /// - Parameter former: the one before, whose ports must be closed. It keeps its frames when this throws, and has
    ///   none to open a queue with when it does not.
    public convenience init(again former: XDPInterface) throws(XDPError) {
        if let open = former.queues.withLock({ $0.first { $0.value.isOpen }?.key }) {
            throw XDPError(former.name, .queueBusy(open))
        }
        try self.init(former.name, former.options, memory: former.memory)
        let pools = former.queues.withLock { pools in
            let all = pools
            pools = [:]
            return all
        }
        queues.withLock { $0 = pools }
    }

    /// The same, with the kind of the interface as rtnetlink(7) tells it.
    convenience init(
        _ name: String, _ options: XDPOptions, memory: XDPMemory? = nil, kind: String?
    ) throws(XDPError) {
        try Self.check(options, memory, name)
        let (steering, reasons) = try Self.attach(name, options, kind)
        try self.init(name, options, memory, .steering(steering), steering, steering.grant.mode, reasons)
    }

    /// Opens an interface whose XDP program is the application's own, and attached already.
    ///
    /// - Parameters:
    ///   - map: the descriptor of the XSKMAP by which that program redirects; it must stay open.
    ///   - mode: the mode the program is attached in.
    public convenience init(
        _ name: String, _ options: XDPOptions = XDPOptions(), memory: XDPMemory? = nil,
        map: Int32, mode: XDPMode
    ) throws(XDPError) {
        try Self.check(options, memory, name)
        try self.init(name, options, memory, .map(map), nil, mode, [])
    }

    /// Opens an interface to send only: no XDP program is attached, and nothing is received.
    public convenience init(
        sendingOn name: String, _ options: XDPOptions = XDPOptions(), memory: XDPMemory? = nil
    ) throws(XDPError) {
        try Self.check(options, memory, name)
        let mode = options.mode == .generic ? XDPMode.generic : .native
        try self.init(name, options, memory, .none, nil, mode, [])
    }

    private init(
        _ name: String, _ options: XDPOptions, _ memory: XDPMemory?, _ redirection: Redirection,
        _ steering: SteeringProgram?, _ mode: XDPMode, _ reasons: [String]
    ) throws(XDPError) {
        index = if let steering { steering.index } else { try interfaceIndex(name) }
        (self.name, self.options, self.redirection, self.steering) = (name, options, redirection, steering)
        (self.mode, modeReasons) = (mode, reasons)
        self.memory = if let memory { memory } else { try XDPMemory(for: [name], options) }
    }

    /// Before anything is attached.
    private static func check(_ options: XDPOptions, _ memory: XDPMemory?, _ name: String) throws(XDPError) {
        try options.check(name)
        if let memory { try options.check(name, against: memory) }
    }

    deinit {
        queues.withLock { queues in
            for queue in queues.values {
                unsafe queue.pool.deinitialize(count: 1)
                unsafe queue.pool.deallocate()
            }
        }
    }

    /// RX queues the interface has in use at the moment.
    public var queueCount: Int { Self.queueCount(of: index) }

    /// RX queues that an interface of this network namespace has in use at the moment; 0 when there is none of that
    /// name. What the driver does not tell is looked up in /sys.
    public static func queueCount(of name: String) -> Int {
        (try? interfaceIndex(name)).map { queueCount(of: $0) } ?? 0
    }

    private static func queueCount(of index: Int32) -> Int { Int(apus_xdp_queues(index) & 0xffff_ffff) }

    /// Queues that have had a port, and frames therefore.
    public var knownQueues: Int { queues.withLock { $0.count } }

    /// Queues that have a port at the moment.
    public var openQueues: Int { queues.withLock { $0.values.count(where: \.isOpen) } }

    /// Takes datagrams to this endpoint from now on; an address of zeros takes the port at any address of
    /// that family. For an application's own program this has no effect.
    public func add(_ endpoint: Endpoint) throws(XDPError) { try steering?.add(endpoint) }

    /// Leaves datagrams to this endpoint to the kernel again.
    public func remove(_ endpoint: Endpoint) throws(XDPError) { try steering?.remove(endpoint) }

    /// Opens a queue: one socket with all four rings, over this interface's memory.
    ///
    /// - Parameters:
    ///   - queue: from 0 to ``queueCount`` - 1.
    ///   - number: what received packets carry as their ``Packet/port``.
    public func open(queue: Int, number: UInt16 = 0) throws(XDPError) -> Port<XDPDriver> {
        let count = queueCount
        guard count > 0 else { throw XDPError(name, .noSuchInterface(existing: interfaceNames())) }
        guard queue >= 0, queue < count else { throw XDPError(name, .noSuchQueue(queue, queues: count)) }
        let pool = try unsafe takePool(queue)
        do throws(XDPError) {
            let control = try unsafe bind(queue, pool)
            do throws(XDPError) {
                try redirection.register(socket: control.descriptor, queue: queue, interface: name)
            } catch {
                control.close()
                throw error
            }
            return Port(XDPDriver(control, number: number))
        } catch {
            closed(queue)
            throw error
        }
    }

    /// Free frames of a queue that has no port at the moment.
    func freeFrames(queue: Int) -> Int {
        queues.withLock { queues in
            guard let known = queues[queue], !known.isOpen else { return 0 }
            return unsafe known.pool.pointee.free
        }
    }

    /// A port has given its queue back.
    func closed(_ queue: Int) { queues.withLock { $0[queue]?.isOpen = false } }

    /// The pool of a queue, made when it is opened for the first time.
    private func takePool(_ queue: Int) throws(XDPError) -> UnsafeMutablePointer<FramePool> {
        let taken = unsafe queues.withLock { queues -> Result<UnsafeMutablePointer<FramePool>, XDPError> in
            if let known = queues[queue] {
                guard !known.isOpen else { return unsafe .failure(XDPError(name, .queueBusy(queue))) }
                guard unsafe !known.pool.pointee.isOwnedElsewhere else {
                    return unsafe .failure(XDPError(name, .poolNotHandedOver(queue)))
                }
                queues[queue]?.isOpen = true
                return unsafe .success(known.pool)
            }
            do throws(MemoryError) {
                let pool = UnsafeMutablePointer<FramePool>.allocate(capacity: 1)
                do throws(MemoryError) {
                    unsafe pool.initialize(to: try memory.frames.makePool(frames: options.framesPerQueue))
                } catch {
                    unsafe pool.deallocate()
                    throw error
                }
                unsafe queues[queue] = Queue(pool: pool, isOpen: true)
                return unsafe .success(pool)
            } catch {
                return unsafe .failure(XDPError(name, .badSize("\(error)")))
            }
        }
        return try unsafe taken.get()
    }
}

extension XDPInterface {
    /// Attaches the steering program in the best mode that can be had.
    private static func attach(
        _ name: String, _ options: XDPOptions, _ kind: String?
    ) throws(XDPError) -> (SteeringProgram, reasons: [String]) {
        _ = try interfaceIndex(name)
        let missing = Capability.missing(of: Capability.toOpen)
        guard missing.isEmpty else {
            throw XDPError(name, .notPermitted(missing: missing, doing: "open an interface with AF_XDP"))
        }
        if options.zeroCopy == .required, options.mode == .generic {
            throw XDPError(
                name, .lesserGrant(required: "zero-copy", reasons: ["generic mode has none"]))
        }
        let modes: [XDPMode] =
            switch options.mode {
            case .best: options.zeroCopy == .required ? [.native] : [.native, .generic]
            case .native: [.native]
            case .generic: [.generic]
            }
        var failures: [XDPError] = []
        for mode in modes {
            do throws(XDPError) {
                // The kernel attaches it there all the same.
                if mode == .native, let kind, Link.isAggregate(kind: kind) {
                    throw XDPError(name, .aggregate(kind: kind))
                }
                return (
                    try SteeringProgram(attachingTo: name, mode: mode), failures.map { "\($0.explanation)" }
                )
            } catch {
                guard error.mayWorkInAnotherMode else { throw error }
                failures.append(error)
            }
        }
        if options.mode != .best || failures.count == 1 { throw failures[0] }
        throw XDPError(
            name, .lesserGrant(required: "AF_XDP", reasons: failures.map { "\($0.explanation)" }))
    }

    /// Binds a socket to the queue with the best flags that can be had.
    private func bind(_ queue: Int, _ pool: UnsafeMutablePointer<FramePool>) throws(XDPError) -> XDPQueue {
        guard let current = interfaceName(index) else {
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
            memory: memory.frames.grant)
        return unsafe XDPQueue(
            self, queue: queue, socket: socket, rings: rings, pool: pool, isZeroCopy: isZeroCopy,
            takesSegments: takesSegments,
            grant: PortGrant(backend: .xdp, interface: name, queue: queue, features: features.list))
    }
}

extension XDPError {
    /// Whether another mode may succeed where this one failed.
    var mayWorkInAnotherMode: Bool {
        switch cause {
        case .modeNotSupported, .mtuTooLarge, .failed, .otherModeActive, .aggregate: true
        default: false
        }
    }
}
