internal import ApusHost
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
    let modeReasons: [String]

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
                    unsafe pool.initialize(
                        to: try memory.frames.makePool(
                            frames: options.framesPerQueue, node: options.node(ofQueue: queue)))
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
