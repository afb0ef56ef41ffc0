import CLinux
import CMNL
import Glibc

/// A netlink socket, over libmnl: asks the kernel, or listens to what it tells.
///
/// Safe to use: libmnl's handle is made here, belongs to this value alone, which can't be copied, and is closed
/// with it; buffers are lent to libmnl for the length of a call, with their true size.
@safe
struct NetlinkSocket: ~Copyable {
    /// What a read of a listening socket gave.
    enum Reading {
        case messages([NetlinkMessage])
        /// Nothing is waiting.
        case empty
        /// The kernel had more to tell than the socket's buffer took (netlink(7), ENOBUFS).
        case overrun
    }

    private let socket: OpaquePointer
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    /// How long the kernel may take to answer, in seconds: it answers at once or something is very wrong.
    private static let patience = 10

    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// - Parameters:
    ///   - groups: a bit for each multicast group to listen to, RTNLGRP_x at bit x - 1; 0 to ask only.
    ///   - receiveBuffer: bytes the kernel may hold for a listening socket.
    init(
        bus: CInt = NETLINK_ROUTE, groups: UInt32 = 0, receiveBuffer: Int = 0
    ) throws(HostError) {
        let flags = APUS_SOCK_CLOEXEC | (groups == 0 ? 0 : APUS_SOCK_NONBLOCK)
        guard let socket = unsafe mnl_socket_open2(bus, flags) else {
            throw .systemCall("socket(AF_NETLINK)", errno)
        }
        guard unsafe mnl_socket_bind(socket, groups, 0) == 0 else {
            let code = errno
            unsafe mnl_socket_close(socket)
            throw .systemCall("bind(AF_NETLINK)", code)
        }
        unsafe self.socket = socket
        var on: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        // Error texts in the answers; kernels before 4.12 don't have them, and then the code must do.
        unsafe mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, size)
        if groups == 0 {
            var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
            unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        } else {
            var bytes = CInt(clamping: receiveBuffer)
            // Beyond net.core.rmem_max needs CAP_NET_ADMIN; without it the limit of the host is what we get.
            if unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, size) != 0 {
                unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, size)
            }
        }
    }

    deinit { unsafe mnl_socket_close(socket) }

    /// Readable when there is something to read.
    var descriptor: CInt { unsafe mnl_socket_get_fd(socket) }

    /// Asks and gives all messages of the answer.
    ///
    /// - Parameter purpose: what is asked, for the error: "the list of links".
    mutating func ask(_ request: NetlinkRequest, for purpose: String) throws(HostError) -> [NetlinkMessage] {
        // A dump during which the tables change is marked by the kernel, and is asked for again.
        for _ in 0..<8 {
            let (messages, isInterrupted) = try answer(request, for: purpose)
            if !isInterrupted { return messages }
        }
        return try answer(request, for: purpose).messages
    }

    private mutating func answer(
        _ request: NetlinkRequest, for purpose: String
    ) throws(HostError) -> (messages: [NetlinkMessage], isInterrupted: Bool) {
        sequence &+= 1
        var request = request
        request.sequence = sequence
        let sent = unsafe request.bytes.withUnsafeBytes {
            unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count)
        }
        guard sent == request.bytes.count else { throw .netlink(purpose, code: errno, explanation: "") }

        var messages: [NetlinkMessage] = []
        var isInterrupted = false
        while true {
            let count = receive()
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw .netlink(purpose, code: errno, explanation: "")
            }
            // What belongs to an earlier question that ran out of time is passed over.
            for message in NetlinkMessage.all(in: datagram(count)) where message.sequence == sequence {
                isInterrupted = isInterrupted || message.flags & UInt16(NLM_F_DUMP_INTR) != 0
                switch message.type {
                case Int(NLMSG_ERROR), Int(NLMSG_DONE):
                    let code = CInt(bitPattern: message.payload.load() ?? 0)
                    guard code == 0 else {
                        throw .netlink(purpose, code: -code, explanation: Self.explanation(of: message))
                    }
                    return (messages, isInterrupted)
                default: messages.append(message)
                }
            }
        }
    }

    /// Reads what a listening socket has; never waits.
    mutating func read() throws(HostError) -> Reading {
        let count = receive()
        if count >= 0 { return .messages(NetlinkMessage.all(in: datagram(count))) }
        switch errno {
        case EAGAIN, EINTR: return .empty
        // ENOSPC is libmnl's word for a datagram larger than the buffer: something was lost as well.
        case ENOBUFS, ENOSPC: return .overrun
        default: throw .netlink("what changed on the host", code: errno, explanation: "")
        }
    }

    private mutating func receive() -> Int {
        unsafe buffer.withUnsafeMutableBytes { unsafe mnl_socket_recvfrom(socket, $0.baseAddress, $0.count) }
    }

    /// A copy of what was received: messages that kept the buffer itself would have all of it copied at the
    /// next receive.
    private func datagram(_ count: Int) -> ArraySlice<UInt8> { Array(buffer[..<count])[...] }

    /// The kernel's own words on an error: the attribute NLMSGERR_ATTR_MSG behind the header of the request.
    private static func explanation(of message: NetlinkMessage) -> String {
        guard message.type == Int(NLMSG_ERROR), message.flags & UInt16(NLM_F_ACK_TLVS) != 0 else { return "" }
        let isCapped = message.flags & UInt16(NLM_F_CAPPED) != 0
        let copied =
            isCapped ? NetlinkMessage.headerSize : Int(message.payload.load(at: 4, as: UInt32.self) ?? 0)
        let attributes = message.payload.from(4 + (copied + 3) & ~3).attributes
        return attributes[Int(NLMSGERR_ATTR_MSG.rawValue)]?.string ?? ""
    }
}
