import CMNL

@testable import ApusHost

// MARK: - Messages as the kernel makes them (linux/rtnetlink.h, linux/if_link.h)

func linkRequest(index: UInt32, name: String, flags: UInt32) -> NetlinkRequest {
    let header = [0, 0] + NetlinkRequest.native(UInt16(1)) + NetlinkRequest.native(index)
    var request = NetlinkRequest(
        type: Int(RTM_NEWLINK), header: header + NetlinkRequest.native(flags) + [0, 0, 0, 0])
    request.put(Int(IFLA_IFNAME), Array(name.utf8) + [0])
    request.put(Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, UInt8(index)])
    request.put(Int(IFLA_MTU), NetlinkRequest.native(UInt32(1500)))
    return request
}

func linkMessage(index: UInt32, name: String, flags: UInt32 = 0x1_0001) -> NetlinkMessage {
    NetlinkMessage.all(in: linkRequest(index: index, name: name, flags: flags).bytes[...])[0]
}

func vlanMessage(
    index: UInt32, name: String, id: UInt16, tpid: UInt16, parent: UInt32, parentNamespace: UInt32? = nil
) -> NetlinkMessage {
    let bytes = vlanBytes(
        index: index, name: name, id: id, tpid: tpid, parent: parent, parentNamespace: parentNamespace)
    return NetlinkMessage.all(in: bytes[...])[0]
}

func vlanBytes(
    index: UInt32, name: String, id: UInt16, tpid: UInt16, parent: UInt32, parentNamespace: UInt32? = nil
) -> [UInt8] {
    var request = linkRequest(index: index, name: name, flags: 0x1_0001)
    request.put(Int(IFLA_LINK), NetlinkRequest.native(parent))
    if let parentNamespace { request.put(Int(IFLA_LINK_NETNSID), NetlinkRequest.native(parentNamespace)) }
    let data =
        attribute(Int(IFLA_VLAN_ID), NetlinkRequest.native(id))
        + attribute(Int(IFLA_VLAN_PROTOCOL), NetlinkRequest.native(tpid.bigEndian))
    let information =
        attribute(Int(IFLA_INFO_KIND), Array("vlan".utf8) + [0]) + attribute(Int(IFLA_INFO_DATA), data)
    request.put(Int(IFLA_LINKINFO), information)
    return request.bytes
}

func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    var bytes =
        NetlinkRequest.native(UInt16(4 + value.count)) + NetlinkRequest.native(UInt16(type)) + value
    while bytes.count % 4 != 0 { bytes.append(0) }
    return bytes
}
