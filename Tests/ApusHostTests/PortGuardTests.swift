import ApusHost
import ApusWire
import CLinux
import Glibc
import NetworkLab
import Testing

@Suite("Port guards", .requires(.root), .timeLimit(.minutes(2)))
struct PortGuardTests {
    @Test(
        "a guard keeps the kernel from answering port unreachable, and gives the port back",
        arguments: ["192.0.2.1:5004", "[2001:db8::1]:5004"])
    func unreachable(listening: String) throws {
        let pair = try Pair("guard")
        defer { pair.close() }
        let endpoint = try #require(Endpoint(listening))
        #expect(try pair.b.enter { try isRefused(endpoint, wait: 5000) })
        do {
            let guardian = try pair.a.enter { try PortGuard(endpoint) }
            #expect(try !pair.b.enter { try isRefused(endpoint, wait: 500) })
            #expect(guardian.endpoint == endpoint)
            #expect(throws: HostError.self) { _ = try pair.a.enter { try PortGuard(endpoint) } }
        }
        try eventually("the port is given back") { try pair.b.enter { try isRefused(endpoint, wait: 500) } }
    }

    @Test("a guarded socket takes nothing in, however much is sent")
    func takesNothing() throws {
        let pair = try Pair("nothing")
        defer { pair.close() }
        let endpoint = try #require(Endpoint("192.0.2.1:5004"))
        let guardian = try pair.a.enter { try PortGuard(endpoint) }
        let refused = try pair.b.enter {
            try (0..<100).filter { _ in try isRefused(endpoint, wait: 0) }.count
        }
        #expect(refused == 0)
        // sl local rem st tx_queue:rx_queue …
        let table = try pair.a.run("cat", "/proc/net/udp").standardOutput
        let lines = table.split(separator: "\n").dropFirst()
        #expect(lines.count == 1)
        #expect(lines.first?.contains(" 00000000:00000000 ") == true, "\(table)")
        _ = guardian.endpoint
    }

    @Test("a port in use is refused with the program that has it")
    func inUse() throws {
        let pair = try Pair("inuse")
        defer { pair.close() }
        let script = """
            import socket, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('192.0.2.1', 5004))
            t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); t.bind(('::', 6000))
            print('bound', flush=True); time.sleep(60)
            """
        let other = try pair.a.start(["python3", "-c", script])
        try other.waitForLine(containing: "bound")
        for text in ["192.0.2.1:5004", "0.0.0.0:5004", "192.0.2.1:6000", "[2001:db8::1]:6000", "[::]:6000"] {
            let endpoint = try #require(Endpoint(text))
            let error = #expect(throws: HostError.self) { _ = try pair.a.enter { try PortGuard(endpoint) } }
            guard case .portInUse(endpoint, let holder?) = error else {
                Issue.record("\(text): \(error.debugDescription)")
                continue
            }
            #expect(holder.pid == other.pid && holder.name.hasPrefix("python3"))
            #expect(
                error?.description.hasPrefix("\(text) is in use by \(holder.name) (pid \(other.pid));")
                    == true)
        }
        // Who may not look into other processes still gets the cause.
        let hidden = try pair.a.enter {
            dropCapabilities()
            return #expect(throws: HostError.self) { _ = try PortGuard(Endpoint("192.0.2.1:5004")!) }
        }
        #expect(
            hidden?.description.hasPrefix("192.0.2.1:5004 is in use by a process of another user; ") == true)
        // The same port of another address is free.
        try pair.a.run("ip", "address", "add", "192.0.2.9/24", "dev", "va")
        _ = try pair.a.enter { try PortGuard(Endpoint("192.0.2.9:5004")!) }
    }

    @Test("an address of another host is refused with the addresses there are")
    func notOurs() throws {
        let pair = try Pair("notours")
        defer { pair.close() }
        let endpoint = try #require(Endpoint("192.0.2.2:5004"))
        let error = #expect(throws: HostError.self) { _ = try pair.a.enter { try PortGuard(endpoint) } }
        let text = try #require(error).description
        #expect(text.contains("no interface has the address 192.0.2.2"))
        #expect(text.contains("192.0.2.1") && text.contains("2001:db8::1"))
    }

    @Test("a guard for IPv4 and one for IPv6 stand on one port, and link-local addresses take an interface")
    func families() throws {
        let pair = try Pair("families")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va").index
        func linkLocal() -> InterfaceAddress? {
            view.addresses.first {
                if case .v6(let address) = $0.address {
                    address.isLinkLocal && !$0.isTentative
                } else {
                    false
                }
            }
        }
        try view.changes { _ in linkLocal() != nil }
        let local = try #require(linkLocal()).address
        try pair.a.enter {
            let first = try PortGuard(Endpoint("0.0.0.0:7000")!)
            let second = try PortGuard(Endpoint("[::]:7000")!)
            _ = try PortGuard(Endpoint(local, port: 7001), interface: va)
            _ = try PortGuard(Endpoint("239.1.2.3:7002")!)
            #expect(first.endpoint.port == second.endpoint.port)
        }
    }

    @Test("a port below 1024 without the capability names it")
    func privileged() throws {
        let lab = NetworkLab("lowport")
        defer { lab.close() }
        let error = try lab.namespace("a").enter {
            dropCapabilities()
            _ = try PortGuard(Endpoint("127.0.0.1:5004")!)
            return #expect(throws: HostError.self) { _ = try PortGuard(Endpoint("127.0.0.1:53")!) }
        }
        #expect(error?.description.hasPrefix("listening on port 53 needs CAP_NET_BIND_SERVICE;") == true)
    }

    @Test("ten thousand ports are guarded at once")
    func tenThousand() throws {
        let lab = NetworkLab("many")
        defer { lab.close() }
        let space = try lab.namespace("a")
        let opened = try space.enter {
            // The usual soft limit, or what the other tests need at this moment.
            var limit = rlimit(rlim_cur: 5000, rlim_max: 0)
            limit.rlim_max = rlim_t(DescriptorLimit.raise())
            try #require(limit.rlim_max > 10_500, "this host allows too few descriptors for the test")
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var guards = Guards()
            for port in 0..<10_000 {
                guards.add(try PortGuard(Endpoint("127.0.0.1:\(10_000 + port)")!))
            }
            let sockets = try space.run("sh", "-c", "wc -l </proc/net/udp").standardOutput
            guards.clear()
            return sockets
        }
        // One line is the heading.
        #expect(opened == "10001\n")
        try eventually("the ports are given back") {
            try space.run("sh", "-c", "wc -l </proc/net/udp").standardOutput == "1\n"
        }
    }

    /// A list of what can't be copied.
    private struct Guards: ~Copyable {
        private final class Node {
            let value: PortGuard
            var next: Node?
            init(_ value: consuming PortGuard, _ next: Node?) {
                self.value = value
                self.next = next
            }
        }
        private var head: Node?
        mutating func add(_ value: consuming PortGuard) { head = Node(value, head) }
        // One by one: ten thousand nested deinits would be a deep stack.
        mutating func clear() { while let node = head { head = node.next } }
    }

    /// Sends a datagram and tells whether an ICMP error comes back for it.
    private func isRefused(_ endpoint: Endpoint, wait milliseconds: CInt) throws -> Bool {
        let family = endpoint.address.isIPv4 ? AF_INET : AF_INET6
        let socket = Glibc.socket(family, APUS_SOCK_DGRAM, 0)
        defer { close(socket) }
        let connected = connect(socket, to: endpoint)
        try #require(connected)
        try #require(unsafe send(socket, "x", 1, 0) == 1)
        var answer = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&answer, 1, milliseconds)
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
        return code == ECONNREFUSED
    }

    private func connect(_ socket: CInt, to endpoint: Endpoint) -> Bool {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST
        unsafe hints.ai_socktype = APUS_SOCK_DGRAM
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo("\(endpoint.address)", "\(endpoint.port)", &hints, &found) == 0 else {
            return false
        }
        defer { unsafe freeaddrinfo(found) }
        return unsafe Glibc.connect(socket, found!.pointee.ai_addr, found!.pointee.ai_addrlen) == 0
    }
}

extension IPAddress {
    fileprivate var isIPv4: Bool { if case .v4 = self { true } else { false } }
}
