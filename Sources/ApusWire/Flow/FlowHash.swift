/// A number of a packet's flow, the same for all packets of it and for both directions: by which software spreads flows
/// over workers.
///
/// Of UDP and TCP the ports count beside the addresses, of fragments and of all else the addresses only; VLAN tags don't.
/// A flow of which some packets are fragmented so has two numbers, as with the hash of a network card. IPv6 packets with
/// extension headers count as all else.
///
/// It is not that hash: ``ToeplitzKey/symmetric`` gives flows between equal ports one value. Here the endpoints are put in
/// order, and multiplied. No secret is in it, so senders can choose to be on one worker, which is all they get.
///
/// Cost: some 5 ns.
public enum FlowHash {
    /// The number of the flow of a frame; `nil` when it is not IPv4 or IPv6, or too short.
    @inlinable
    public static func of(_ frame: RawSpan) -> UInt32? {
        guard let (kind, start) = network(in: frame) else { return nil }
        switch EtherType(rawValue: kind) {
        case .ipv4: return ofIPv4(frame, start)
        case .ipv6: return ofIPv6(frame, start)
        default: return nil
        }
    }

    /// The type of what is in a frame, behind up to two VLAN tags, and where it begins: 20 octets of it are there.
    @inlinable @inline(__always)
    static func network(in frame: RawSpan) -> (kind: UInt16, start: Int)? {
        guard frame.byteCount >= 34 else { return nil }
        // Sound, here and below: each load is of octets whose existence was just compared.
        var (kind, start) = unsafe (frame.big16(12), 14)
        while EtherType(rawValue: kind).isVLAN, start < 22 {
            guard frame.byteCount >= start &+ 4 &+ 20 else { return nil }
            kind = unsafe frame.big16(start &+ 2)
            start &+= 4
        }
        return (kind, start)
    }

    /// The packet begins at `start`, and 20 octets are there.
    @inlinable @inline(__always)
    static func ofIPv4(_ frame: RawSpan, _ start: Int) -> UInt32? {
        let first = unsafe frame.octet(start)
        let length = Int(first & 15) &* 4
        guard first >> 4 == 4, length >= 20 else { return nil }
        let (source, destination) = unsafe (frame.big32(start &+ 12), frame.big32(start &+ 16))
        var ports: UInt32 = 0
        // More fragments, or an offset: RFC 791, section 3.1.
        let isFragment = unsafe frame.big16(start &+ 6) & 0x3fff != 0
        if !isFragment, hasPorts(unsafe frame.octet(start &+ 9)), frame.byteCount >= start &+ length &+ 4 {
            ports = unsafe frame.big32(start &+ length)
        }
        return hash(UInt64(source), UInt64(destination), ports)
    }

    @inlinable @inline(__always)
    static func ofIPv6(_ frame: RawSpan, _ start: Int) -> UInt32? {
        guard frame.byteCount >= start &+ 40, unsafe frame.octet(start) >> 4 == 6 else { return nil }
        let source = unsafe mix(frame.big64(start &+ 8), frame.big64(start &+ 16))
        let destination = unsafe mix(frame.big64(start &+ 24), frame.big64(start &+ 32))
        var ports: UInt32 = 0
        if hasPorts(unsafe frame.octet(start &+ 6)), frame.byteCount >= start &+ 44 {
            ports = unsafe frame.big32(start &+ 40)
        }
        return hash(source, destination, ports)
    }

    @inlinable @inline(__always)
    static func hasPorts(_ number: UInt8) -> Bool { number == 17 || number == 6 }

    /// - Parameter ports: the source's in the upper half, the destination's in the lower.
    @inlinable @inline(__always)
    static func hash(_ source: UInt64, _ destination: UInt64, _ ports: UInt32) -> UInt32 {
        let one = source &<< 16 ^ source &>> 48 ^ UInt64(ports >> 16)
        let other = destination &<< 16 ^ destination &>> 48 ^ UInt64(ports & 0xffff)
        let sum = mix(min(one, other), max(one, other))
        return UInt32(truncatingIfNeeded: sum &>> 32)
    }

    /// The two halves of a product, of which each bit depends on nearly all bits of both factors (as in wyhash); twice, so
    /// that the upper ones do, too.
    @inlinable @inline(__always)
    static func mix(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let product = (one ^ 0xa076_1d64_78bd_642f).multipliedFullWidth(by: other ^ 0xe703_7ed1_a0b4_28db)
        let again = (product.high ^ product.low).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return again.high ^ again.low
    }

    /// Which of `count` a flow with that number is for, each of them for as many numbers as the others.
    @inlinable @inline(__always)
    public static func share(of hash: UInt32, among count: Int) -> Int {
        Int(truncatingIfNeeded: (UInt64(hash) &* UInt64(truncatingIfNeeded: count)) &>> 32)
    }
}
