import CLinux
import Glibc

/// What has to be known of an interface to open it, asked over the packet socket itself.
struct InterfaceFacts {
    let name: String
    let index: Int32
    let mtu: Int
    let isUp: Bool
    /// Whether its device takes timestamps of received packets now.
    let stampsReceived: Bool

    init(_ name: String, socket: borrowing PacketSocket) throws(PacketSocketError) {
        self.name = name
        guard name.utf8.count < Int(IFNAMSIZ),
            let index = unsafe Self.ask(socket.descriptor, name, SIOCGIFINDEX)?.ifr_ifru.ifru_ivalue
        else { throw .noSuchInterface(name, known: Self.known) }
        self.index = index
        let hardware = unsafe Self.ask(socket.descriptor, name, SIOCGIFHWADDR)
        let type = unsafe Int(hardware?.ifr_ifru.ifru_hwaddr.sa_family ?? 0xffff)
        guard type == Int(ARPHRD_ETHER) || type == Int(ARPHRD_LOOPBACK) else {
            throw .notEthernet(name, type: type)
        }
        guard let mtu = Self.mtu(socket.descriptor, index: index) else {
            throw .noSuchInterface(name, known: Self.known)
        }
        self.mtu = mtu
        let flags = unsafe Self.ask(socket.descriptor, name, SIOCGIFFLAGS)?.ifr_ifru.ifru_flags ?? 0
        isUp = Int32(flags) & Int32(IFF_UP) != 0
        stampsReceived = Self.stampsReceived(socket.descriptor, name)
    }

    /// The MTU of an interface that may have another name by now, in the socket's namespace, which need
    /// not be the thread's.
    static func mtu(_ socket: Int32, index: Int32) -> Int? {
        var argument = unsafe ifreq()
        unsafe argument.ifr_ifru.ifru_ivalue = index
        guard unsafe ioctl(socket, UInt(SIOCGIFNAME), &argument) == 0,
            unsafe ioctl(socket, UInt(SIOCGIFMTU), &argument) == 0
        else { return nil }
        return unsafe Int(argument.ifr_ifru.ifru_mtu)
    }

    /// Names of the interfaces of this namespace.
    static var known: [String] {
        guard let list = unsafe if_nameindex() else { return [] }
        defer { unsafe if_freenameindex(list) }
        var names: [String] = []
        var next = unsafe list
        while unsafe next.pointee.if_index != 0 {
            names.append(unsafe String(cString: next.pointee.if_name))
            unsafe next += 1
        }
        return names
    }

    /// An ioctl of netdevice(7); `nil` when it fails.
    private static func ask(_ socket: Int32, _ name: String, _ request: Int32) -> ifreq? {
        var argument = unsafe ifreq()
        unsafe fill(&argument, name)
        return unsafe ioctl(socket, UInt(request), &argument) == 0 ? argument : nil
    }

    private static func fill(_ argument: inout ifreq, _ name: String) {
        unsafe withUnsafeMutableBytes(of: &argument.ifr_ifrn.ifrn_name) { target in
            for (index, byte) in name.utf8.prefix(target.count - 1).enumerated() {
                unsafe target[index] = byte
            }
        }
    }

    private static func stampsReceived(_ socket: Int32, _ name: String) -> Bool {
        var configuration = hwtstamp_config()
        return unsafe withUnsafeMutablePointer(to: &configuration) { pointer in
            var argument = unsafe ifreq()
            unsafe fill(&argument, name)
            unsafe argument.ifr_ifru.ifru_data = UnsafeMutableRawPointer(pointer).assumingMemoryBound(
                to: CChar.self)
            // Sound: the kernel writes a hwtstamp_config, which outlives the call.
            return unsafe ioctl(socket, UInt(SIOCGHWTSTAMP), &argument) == 0 && pointer.pointee.rx_filter != 0
        }
    }
}
