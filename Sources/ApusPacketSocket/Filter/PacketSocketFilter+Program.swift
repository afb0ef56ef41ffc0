import CLinux

extension PacketSocketFilter {
    /// The classic BPF program; `nil` when it is longer than the kernel takes.
    ///
    /// In all of them a packet that went another way than `direction` does not pass, and, unless `promiscuous`,
    /// none that is meant for another host (`SKF_AD_PKTTYPE`).
    func program(promiscuous: Bool, _ direction: PacketSocketDirection) -> [sock_filter]? {
        var program = FilterProgram()
        if self == .nothing {
            program.accept(false)
            return program.assembled()
        }
        let drop = program.makeLabel()
        let start = program.makeLabel()
        // ld #type of packet: an ancillary load, at an address that is negative as a 32-bit number.
        program.load(BPF_B, at: UInt32(bitPattern: Int32(SKF_AD_OFF) + Int32(SKF_AD_PKTTYPE)))
        switch (direction, promiscuous) {
        case (.sent, _):
            program.jump(BPF_JEQ, UInt32(PACKET_OUTGOING), then: start, else: drop)
        case (.received, true):
            program.jump(BPF_JEQ, UInt32(PACKET_OUTGOING), then: drop, else: start)
        case (.received, false):
            // To us, to all, to a group: 0, 1, 2.
            program.jump(BPF_JGT, UInt32(PACKET_MULTICAST), then: drop, else: start)
        case (.both, true):
            program.jump(to: start)
        case (.both, false):
            program.jump(BPF_JEQ, UInt32(PACKET_OTHERHOST), then: drop, else: start)
        }
        program.place(drop)
        program.accept(false)
        program.place(start)

        switch self {
        case .nothing, .everything:
            program.accept(true)
        case .allUDP:
            program.emitUDP(match: nil)
        case .udpPorts(let ports):
            let match = program.makeLabel()
            program.emitUDP(match: match)
            program.place(match)
            program.emitPortSearch(ports)
        }
        return program.assembled()
    }
}

extension FilterProgram {
    /// Finds the destination port of a UDP packet with up to one VLAN tag in its bytes (the outer one
    /// the kernel has taken off), and goes on at `match` with it in the accumulator. Without `match`
    /// it accepts any UDP.
    fileprivate mutating func emitUDP(match: Label?) {
        let tagged = makeLabel()
        emitNetworkLayer(at: 14, tagged: tagged, match: match)
        place(tagged)
        emitNetworkLayer(at: 18, tagged: nil, match: match)
    }

    /// The protocol number of UDP (RFC 768).
    private static var udp: UInt32 { 17 }

    /// The network header starts at `offset`, behind the EtherType.
    private mutating func emitNetworkLayer(at offset: UInt32, tagged: Label?, match: Label?) {
        let (notIPv4, notIPv6, drop, pass) = (makeLabel(), makeLabel(), makeLabel(), makeLabel())
        let (ipv4, notUDP, udp6, behind) = (makeLabel(), makeLabel(), makeLabel(), makeLabel())
        load(BPF_H, at: offset - 2)
        jump(BPF_JEQ, UInt32(ETH_P_IP), then: ipv4, else: notIPv4)

        // IPv4 (RFC 791, 3.1): protocol, fragment offset, header length.
        place(ipv4)
        load(BPF_B, at: offset + 9)
        jump(BPF_JEQ, Self.udp, else: drop)
        if let match {
            load(BPF_H, at: offset + 6)
            jump(BPF_JSET, 0x1fff, then: drop)
            // ldx 4*([offset]&0xf): the header's length to the index register.
            emit(BPF_LDX | BPF_B | BPF_MSH, offset)
            emit(BPF_LD | BPF_H | BPF_IND, offset + 2)
            jump(to: match)
        } else {
            accept(true)
        }

        // IPv6 (RFC 8200, 3): next header.
        place(notIPv4)
        jump(BPF_JEQ, UInt32(ETH_P_IPV6), else: notIPv6)
        load(BPF_B, at: offset + 6)
        jump(BPF_JEQ, Self.udp, then: match == nil ? pass : udp6, else: notUDP)
        place(udp6)
        if let match {
            load(BPF_H, at: offset + 40 + 2)
            jump(to: match)
        }
        place(notUDP)
        // Hop-by-hop, routing, fragment, destination options (RFC 8200, 4).
        for header: UInt32 in [0, 43, 44] { jump(BPF_JEQ, header, then: behind) }
        jump(BPF_JEQ, 60, then: behind, else: drop)
        // What is behind the first of them, by its first octet: UDP or one more. Multicast listener reports
        // (RFC 3810, 5), which each host sends behind a hop-by-hop header, end here.
        place(behind)
        load(BPF_B, at: offset + 40)
        for header: UInt32 in [Self.udp, 0, 43, 44] { jump(BPF_JEQ, header, then: pass) }
        jump(BPF_JEQ, 60, then: pass, else: drop)
        place(pass)
        accept(true)
        place(drop)
        accept(false)

        place(notIPv6)
        if let tagged {
            jump(BPF_JEQ, UInt32(ETH_P_8021Q), then: tagged)
            jump(BPF_JEQ, UInt32(ETH_P_8021AD), then: tagged)
        }
        accept(false)
    }

    /// Accepts when the accumulator is one of `ports`.
    ///
    /// A bit set of the 65,536 ports, cut into words of 32, of which equal neighbors are one run: binary
    /// search for the run, then the bit of its mask is tested. Three or four instructions for each run and
    /// about fifteen executed for a thousand of them, however many ports they hold.
    fileprivate mutating func emitPortSearch(_ ports: [UInt16]) {
        let runs = PortRun.runs(of: ports)
        guard !runs.isEmpty else { return accept(false) }
        let bitTest = makeLabel()
        // X = the port's low five bits, A = the number of its word.
        emit(BPF_MISC | BPF_TAX)
        emit(BPF_ALU | BPF_AND | BPF_K, 31)
        emit(BPF_ST, 0)
        emit(BPF_MISC | BPF_TXA)
        emit(BPF_ALU | BPF_RSH | BPF_K, 5)
        emit(BPF_LDX | BPF_W | BPF_MEM, 0)
        emitSearch(runs[...], bitTest: bitTest)
        place(bitTest)
        emit(BPF_ALU | BPF_RSH | BPF_X)
        emit(BPF_ALU | BPF_AND | BPF_K, 1)
        // 1 becomes the largest length, 0 stays: ret takes it as what to keep of the packet.
        emit(BPF_ALU | BPF_NEG)
        emit(BPF_RET | BPF_A)
    }

    private mutating func emitSearch(_ runs: ArraySlice<PortRun>, bitTest: Label) {
        if runs.count <= 8 {
            for run in runs {
                let next = makeLabel()
                if run.first == run.last {
                    jump(BPF_JEQ, run.first, else: next)
                } else {
                    jump(BPF_JGE, run.first, else: next)
                    jump(BPF_JGT, run.last, then: next)
                }
                emit(BPF_LD | BPF_IMM, run.mask)
                jump(to: bitTest)
                place(next)
            }
            return accept(false)
        }
        let middle = runs.startIndex + runs.count / 2
        let (low, far, high) = (makeLabel(), makeLabel(), makeLabel())
        jump(BPF_JGE, runs[middle].first, then: far, else: low)
        place(far)
        jump(to: high)
        place(low)
        emitSearch(runs[..<middle], bitTest: bitTest)
        place(high)
        emitSearch(runs[middle...], bitTest: bitTest)
    }
}

/// Words of the bit set of ports that follow each other and have the same bits.
private struct PortRun {
    /// Numbers of the words: a port's upper eleven bits.
    var first: UInt32
    var last: UInt32
    var mask: UInt32

    static func runs(of ports: [UInt16]) -> [PortRun] {
        var words: [UInt32: UInt32] = [:]
        for port in ports { words[UInt32(port >> 5), default: 0] |= 1 << UInt32(port & 31) }
        var runs: [PortRun] = []
        for (number, mask) in words.sorted(by: { $0.key < $1.key }) {
            if let previous = runs.last, previous.last + 1 == number, previous.mask == mask {
                runs[runs.count - 1].last = number
            } else {
                runs.append(PortRun(first: number, last: number, mask: mask))
            }
        }
        return runs
    }
}
