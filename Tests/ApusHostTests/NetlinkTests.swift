import ApusWire
import CMNL
import Testing

@testable import ApusHost

/// What the kernel's bytes mean, where this machine's kernel can't be made to send them, and what becomes of
/// bytes that no kernel sends.
@Suite("Netlink messages")
struct NetlinkTests {
    @Test("a VLAN interface has its tag, protocol and parent")
    func vlan() throws {
        let link = try #require(Link(vlanMessage(index: 7, name: "eth0.5", id: 5, tpid: 0x88a8, parent: 2)))
        #expect(link.kind == "vlan" && link.parent == 2)
        #expect(link.vlan == Link.VLAN(id: 5, tpid: 0x88a8))
        #expect(link.macAddress == MACAddress("02:00:00:00:00:07"))
    }

    @Test("a parent in another namespace is not taken for an interface of this one")
    func foreignParent() throws {
        let message = vlanMessage(
            index: 7, name: "eth0.5", id: 5, tpid: 0x8100, parent: 2, parentNamespace: 1)
        #expect(try #require(Link(message)).parent == nil)
    }

    @Test("two VLAN interfaces on each other give two tags, the outermost first, and the interface beneath")
    func stacked() throws {
        let view = try HostView()
        view.links = try [
            2: #require(Link(linkMessage(index: 2, name: "eth0"))),
            7: #require(Link(vlanMessage(index: 7, name: "eth0.5", id: 5, tpid: 0x88a8, parent: 2))),
            8: #require(Link(vlanMessage(index: 8, name: "eth0.5.100", id: 100, tpid: 0x8100, parent: 7))),
            9: #require(Link(vlanMessage(index: 9, name: "eth0.5.100.3", id: 3, tpid: 0x8100, parent: 8))),
            10: #require(Link(vlanMessage(index: 10, name: "lost", id: 3, tpid: 0x8100, parent: 77))),
        ]
        let egress = try view.egress(of: 8).get()
        #expect(egress.sending.name == "eth0" && egress.routed.name == "eth0.5.100")
        #expect(egress.vlans == [Link.VLAN(id: 5, tpid: 0x88a8), Link.VLAN(id: 100, tpid: 0x8100)])
        #expect(egress.sourceMAC == MACAddress("02:00:00:00:00:08"))
        #expect(throws: UnreachableReason.tooManyVLANTags("eth0.5.100.3")) { try view.egress(of: 9).get() }
        #expect(throws: UnreachableReason.interfaceGone(10)) { try view.egress(of: 10).get() }
        view.links[2] = Link(linkMessage(index: 2, name: "eth0", flags: 0x1))
        #expect(throws: UnreachableReason.interfaceDown("eth0")) { try view.egress(of: 8).get() }
    }

    @Test("truncated and overlong messages give nothing or less, and never more than is there")
    func malformed() throws {
        let good = vlanBytes(index: 7, name: "eth0.5", id: 5, tpid: 0x8100, parent: 2)
        #expect(NetlinkMessage.all(in: good[...]).count == 1)
        for length in 0..<good.count {
            // The header still says the old length.
            #expect(NetlinkMessage.all(in: good.prefix(length)).isEmpty)
            var short = Array(good.prefix(length))
            guard length >= 16 else { continue }
            short.replaceSubrange(0..<4, with: NetlinkRequest.native(UInt32(length)))
            let messages = NetlinkMessage.all(in: short[...])
            for message in messages {
                for parse in parsers { parse(message) }
            }
        }
        // Every byte wrong in turn.
        for position in good.indices {
            for value: UInt8 in [0, 1, 3, 0x7f, 0xff] {
                var bad = good
                bad[position] = value
                for message in NetlinkMessage.all(in: bad[...]) { for parse in parsers { parse(message) } }
            }
        }
    }

    @Test("an entry of the UDP table is read in either family, and nonsense gives nothing")
    func udpTable() throws {
        // As the kernel of a little-endian machine writes 192.0.2.1:5004 and [2001:db8::1]:53.
        #if _endian(little)
            let v4 =
                "  123: 010200C0:138C 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 9876 2 x"
            #expect(
                UDPTable.entry(v4)
                    == UDPTable.Entry(address: "192.0.2.1", port: 5004, inode: 9876))
            let v6 = "  1: B80D0120000000000000000001000000:0035 0:0 07 0:0 00:0 0 0 0 55 2 x 0"
            #expect(UDPTable.entry(v6) == UDPTable.Entry(address: "2001:db8::1", port: 53, inode: 55))
        #endif
        for line in [
            "", "sl local", "1: x:y 0:0 07 0:0 00:0 0 0 0 55", "1: 01:99999 0:0 07 0:0 00:0 0 0 0 55",
        ] {
            #expect(UDPTable.entry(line) == nil)
        }
    }

    @Test("a neighbor is usable in the states in which the kernel itself would send to it")
    func neighborStates() throws {
        let states: [(CInt, Neighbor.State, Bool)] = [
            (0, .unknown, false), (NUD_INCOMPLETE, .incomplete, false), (NUD_REACHABLE, .reachable, true),
            (NUD_STALE, .stale, true), (NUD_DELAY, .delay, true), (NUD_PROBE, .probe, true),
            (NUD_FAILED, .failed, false), (NUD_NOARP, .noARP, true), (NUD_PERMANENT, .permanent, true),
        ]
        for (number, state, isUsable) in states {
            // struct ndmsg: family, padding, interface, state, flags, type.
            let header =
                [2, 0, 0, 0] + NetlinkRequest.native(UInt32(3)) + NetlinkRequest.native(UInt16(number)) + [
                    0, 0,
                ]
            var request = NetlinkRequest(type: Int(RTM_NEWNEIGH), header: header)
            request.put(Int(NDA_DST), [192, 0, 2, 1])
            let bare = try #require(Neighbor(NetlinkMessage.all(in: request.bytes[...])[0]))
            #expect(bare.state == state && !bare.isUsable)
            request.put(Int(NDA_LLADDR), [2, 0, 0, 0, 0, 1])
            let full = try #require(Neighbor(NetlinkMessage.all(in: request.bytes[...])[0]))
            #expect(full.isUsable == isUsable && full.key == Neighbor.Key(interface: 3, address: "192.0.2.1"))
        }
    }

    private var parsers: [(NetlinkMessage) -> Void] {
        [
            { _ = Link($0) }, { _ = InterfaceAddress($0) }, { _ = Neighbor($0) },
            { _ = Route($0, query: Route.Query(to: "192.0.2.1")) },
        ]
    }
}
