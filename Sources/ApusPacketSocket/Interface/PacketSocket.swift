import ApusHost
import CLinux
import Glibc

/// A packet socket of one interface, and the ring that was mapped from it.
struct PacketSocket: ~Copyable {
    let descriptor: Int32
    let interface: String

    /// Opens one that receives nothing until it is bound.
    init(interface: String) throws(PacketSocketError) {
        self.interface = interface
        descriptor = socket(AF_PACKET, APUS_SOCK_RAW | APUS_SOCK_CLOEXEC, 0)
        if descriptor >= 0 { return }
        let code = errno
        if code == EPERM || code == EACCES {
            throw .notPermitted(command: Capability.grantCommand([.netRaw]))
        }
        throw .refused(interface: interface, what: "no packet socket can be had", cause: systemError(code))
    }

    deinit { close(descriptor) }

    func set<Value: BitwiseCopyable>(
        _ option: Int32, level: Int32 = SOL_PACKET, to value: Value, what: String
    ) throws(PacketSocketError) {
        if let code = trySet(option, level: level, to: value) {
            throw .refused(interface: interface, what: what, cause: systemError(code))
        }
    }

    /// - Returns: `errno` when the kernel refused.
    func trySet<Value: BitwiseCopyable>(
        _ option: Int32, level: Int32 = SOL_PACKET, to value: Value
    ) -> Int32? {
        var value = value
        // Sound: the kernel reads the size it is given.
        let result = unsafe setsockopt(
            descriptor, level, option, &value, socklen_t(MemoryLayout<Value>.size))
        return result == 0 ? nil : errno
    }

    /// Makes the ring and maps it.
    func makeRing<Request: BitwiseCopyable>(
        _ option: Int32, _ request: Request, byteCount: Int, called name: String
    ) throws(PacketSocketError) -> RingMemory {
        if let code = trySet(option, to: request) {
            throw .ringRefused(
                interface: interface, ring: name, bytes: byteCount, cause: systemError(code))
        }
        guard let memory = RingMemory(of: descriptor, byteCount: byteCount) else {
            throw .ringRefused(
                interface: interface, ring: name, bytes: byteCount, cause: systemError())
        }
        return memory
    }

    /// Binds it to the interface.
    ///
    /// - Parameter ethertype: what it receives; 0 for nothing.
    func bind(index: Int32, ethertype: Int32) throws(PacketSocketError) {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(ethertype).bigEndian
        address.sll_ifindex = index
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
        if result != 0 {
            throw .refused(
                interface: interface, what: "the socket could not be bound", cause: systemError())
        }
    }

    /// Replaces the filter at one stroke: no packet is judged by neither.
    func attach(_ program: [sock_filter]) throws(PacketSocketError) {
        var program = program
        let code: Int32? = unsafe program.withUnsafeMutableBufferPointer { buffer in
            unsafe trySet(
                SO_ATTACH_FILTER, level: SOL_SOCKET,
                to: sock_fprog(len: UInt16(buffer.count), filter: buffer.baseAddress))
        }
        if let code {
            throw .refused(
                interface: interface, what: "the filter was not taken", cause: systemError(code))
        }
    }

    /// Joins a fanout group.
    ///
    /// - Parameter group: its number; `nil` makes a new one.
    /// - Returns: the group's number.
    func joinFanout(_ group: UInt16?, typeAndFlags: Int32) throws(PacketSocketError) -> UInt16 {
        let unique = group == nil ? PACKET_FANOUT_FLAG_UNIQUEID : 0
        let argument = UInt32(group ?? 0) | UInt32(typeAndFlags | unique) << 16
        try set(PACKET_FANOUT, to: argument, what: "the workers could not share it (PACKET_FANOUT)")
        if let group { return group }
        var joined: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        unsafe getsockopt(descriptor, SOL_PACKET, PACKET_FANOUT, &joined, &size)
        return UInt16(truncatingIfNeeded: joined)
    }

    /// The index of the interface it is bound to; -1 once that is gone.
    var boundIndex: Int32 {
        var address = sockaddr_ll()
        var size = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        return result == 0 ? address.sll_ifindex : -1
    }
}
