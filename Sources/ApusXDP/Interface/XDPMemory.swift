public import ApusRings
import CXDP
import Glibc
import Synchronization

/// Frames that the kernel receives into and sends from: a ``FrameMemory`` registered as a UMEM.
///
/// Give the same one to several interfaces, and packets go from one to the other without being copied
/// (XDP_SHARED_UMEM). Then all of them have the copy mode and multi-buffer of the one that was opened first, and
/// opening one that requires more fails. RX and TX rings are each interface's own; fill and completion rings have the
/// sizes given here, of which each interface uses as much as its options ask.
///
/// Control plane only; may be used from any thread.
public final class XDPMemory: Sendable {
    /// The memory itself.
    public let frames: FrameMemory
    let (fillRing, completionRing): (Int, Int)

    private struct State {
        var umem: XSKHandle?
        /// The socket that the UMEM's descriptor, as libxdp knows it, refers to at the moment.
        var anchor: XSKHandle?
        var sockets: [XSKHandle] = []
        /// Whether the first socket got XDP_USE_SG, which then counts for all.
        var takesSegments = false
    }
    private let state = Mutex(State())

    /// Takes memory into use.
    ///
    /// - Parameters:
    ///   - frames: memory that no other XDPMemory has.
    ///   - fillRing: entries of each queue's fill ring, a power of two; the most that an interface over it asks for.
    ///   - completionRing: entries of each queue's completion ring, likewise.
    public init(_ frames: FrameMemory, fillRing: Int = 4096, completionRing: Int = 2048) {
        self.frames = frames
        (self.fillRing, self.completionRing) = (fillRing, completionRing)
    }

    /// Makes memory for all queues of these interfaces, to open them with.
    public convenience init(for interfaces: [String], _ options: XDPOptions = XDPOptions()) throws(XDPError) {
        var parts: [FrameMemory.Part] = []
        for name in interfaces {
            try options.check(name)
            let index = try interfaceIndex(name)
            for queue in 0..<max(1, Int(apus_xdp_queues(index) & 0xffff_ffff)) {
                parts.append(
                    FrameMemory.Part(frames: options.framesPerQueue, node: options.node(ofQueue: queue)))
            }
        }
        do throws(MemoryError) {
            self.init(
                try FrameMemory(parts: parts, frameSize: options.frameSize, hugePages: options.hugePages),
                fillRing: options.fillRing, completionRing: options.completionRing)
        } catch {
            throw XDPError(interfaces.joined(separator: ", "), .badSize("\(error)"))
        }
    }

    deinit {
        state.withLock { state in
            precondition(state.sockets.isEmpty, "an XDPMemory went away under its sockets")
        }
    }

    /// Whether there is a socket over it already, which has settled the bind flags.
    var isBound: Bool { state.withLock { !$0.sockets.isEmpty } }

    /// The outcome of ``open``: a socket, or why not.
    enum Opened {
        case socket(XSKHandle)
        case failed(code: Int32, detail: String)
    }

    /// Opens and binds a socket. `flags` count for the first one only.
    ///
    /// A bind that failed leaves the kernel's UMEM unusable, so it is registered anew for the next attempt.
    func open(
        _ interface: String, queue: Int, flags: UInt16, receiveRing: Int, transmitRing: Int, rings: XSKRings
    ) -> Opened {
        state.withLock { state in
            let isFirst = state.umem == nil
            var (umem, socket) = unsafe (unsafe state.umem?.pointer, nil as OpaquePointer?)
            let outcome = LibXDP.call {
                if isFirst {
                    let created = unsafe register(&umem, rings.pointer)
                    guard created == 0 else { return created }
                }
                var config = xsk_socket_config()
                config.rx_size = UInt32(receiveRing)
                config.tx_size = UInt32(transmitRing)
                config.libxdp_flags = UInt32(XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD)
                config.bind_flags = flags
                let bound = unsafe xsk_socket__create_shared(
                    &socket, interface, UInt32(queue), umem, &rings.pointer.pointee.receive,
                    &rings.pointer.pointee.transmit, &rings.pointer.pointee.fill,
                    &rings.pointer.pointee.completion, &config)
                if bound != 0, isFirst, unsafe xsk_umem__delete(umem) == 0 { unsafe umem = nil }
                return bound
            }
            state.umem = unsafe umem.map { unsafe XSKHandle(pointer: $0) }
            guard outcome.code == 0, let socket = unsafe socket else {
                return .failed(code: outcome.code, detail: outcome.detail)
            }
            // A child that outlived us would keep the queue.
            _ = unsafe fcntl(xsk_socket__fd(socket), F_SETFD, FD_CLOEXEC)
            let handle = unsafe XSKHandle(pointer: socket)
            if isFirst { state.anchor = handle }
            state.sockets.append(handle)
            return .socket(handle)
        }
    }

    private func register(
        _ umem: inout OpaquePointer?, _ rings: UnsafeMutablePointer<apus_xdp_rings>
    ) -> Int32 {
        var config = xsk_umem_config()
        config.fill_size = UInt32(fillRing)
        config.comp_size = UInt32(completionRing)
        config.frame_size = UInt32(frames.frameSize.rawValue)
        // The kernel keeps out of the header and leaves its own 256 bytes behind it.
        config.frame_headroom = UInt32(FramePool.headerSize)
        let page = Int(getpagesize())
        let length = (frames.slotCount * frames.frameSize.rawValue + page - 1) / page * page
        return unsafe xsk_umem__create(
            &umem, frames.base, UInt64(length), &rings.pointee.fill, &rings.pointee.completion, &config)
    }

    /// Notes what the first socket got, and tells what a later one has inherited: whether packets may lie in
    /// several frames.
    func settle(_ request: BindRequest) -> Bool {
        state.withLock { state in
            if state.sockets.count == 1 { state.takesSegments = request.segments }
            return state.takesSegments
        }
    }

    /// Closes a socket. The kernel has let go of its rings when this returns.
    ///
    /// libxdp keeps the first socket's descriptor as the UMEM's, open until the UMEM goes, so closing that
    /// socket would leave it bound to its queue. The descriptor is therefore made to name a socket that
    /// stays, which holds the same UMEM.
    func close(_ socket: XSKHandle) {
        state.withLock { state in
            state.sockets.removeAll { $0 == socket }
            let umem = state.umem
            _ = LibXDP.call {
                unsafe xsk_socket__delete(socket.pointer)
                if let heir = state.sockets.first {
                    guard state.anchor == socket else { return 0 }
                    state.anchor = heir
                    return unsafe apus_xdp_replace_fd(
                        xsk_socket__fd(heir.pointer), xsk_umem__fd(umem?.pointer))
                }
                (state.anchor, state.umem) = (nil, nil)
                return unsafe xsk_umem__delete(umem?.pointer)
            }
        }
    }
}

/// A socket or UMEM of libxdp. Only used under the lock of its ``XDPMemory``.
@safe
struct XSKHandle: Equatable, @unchecked Sendable {
    let pointer: OpaquePointer

    static func == (one: XSKHandle, other: XSKHandle) -> Bool { unsafe one.pointer == other.pointer }

    /// The descriptor of a socket.
    var descriptor: Int32 { unsafe xsk_socket__fd(pointer) }
}

/// The rings of one socket, where libxdp writes them and keeps pointers to them.
@safe
struct XSKRings: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<apus_xdp_rings>

    init() {
        unsafe pointer = .allocate(capacity: 1)
        clear()
    }

    func clear() { unsafe pointer.initialize(to: apus_xdp_rings()) }

    func deallocate() { unsafe pointer.deallocate() }
}
