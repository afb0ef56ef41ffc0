import ApusDPDK
import ApusPorts
import ApusWire
import Glibc

/// What is done with the port.
struct Work {
    let arguments: Arguments
    /// Its octets.
    let mac: [UInt8]
    /// How many times nothing was there.
    var waits = 0

    init(_ arguments: Arguments, mac: MACAddress) {
        self.arguments = arguments
        self.mac = (0..<6).map { UInt8(truncatingIfNeeded: mac.bits >> (40 - 8 * $0)) }
    }

    /// Answers for some seconds, or until SIGTERM.
    mutating func answer(_ port: inout Port<DPDKDriver>) {
        var ends = sigset_t()
        unsafe sigemptyset(&ends)
        unsafe sigaddset(&ends, SIGTERM)
        unsafe _ = pthread_sigmask(SIG_BLOCK, &ends, nil)
        let deadline = ContinuousClock.now + .seconds(arguments.number)
        var burst = Burst()
        while true {
            if burst.isEmpty {
                if port.receive(into: &burst) == 0 {
                    wait(&port)
                    var pending = sigset_t()
                    unsafe sigpending(&pending)
                    if unsafe sigismember(&pending, SIGTERM) == 1 || ContinuousClock.now > deadline { break }
                }
                burst.keep { answerTo(&$0) }
            }
            port.transmit(&burst)
            port.flush()
        }
    }

    /// Sends what comes in, until so many have gone or none came for a second.
    mutating func turn(_ port: inout Port<DPDKDriver>) -> Bool {
        var burst = Burst()
        var (turned, idle) = (0, ContinuousClock.now)
        while turned < arguments.number, ContinuousClock.now - idle < .seconds(1) {
            if burst.isEmpty, port.receive(into: &burst) == 0 { wait(&port) }
            let taken = port.transmit(&burst)
            port.flush()
            turned += taken
            if taken > 0 { idle = ContinuousClock.now }
        }
        return turned >= arguments.number
    }

    /// Sends numbered frames, at most 32 of them under way, and expects each back as it was, in order.
    mutating func exchange(_ port: inout Port<DPDKDriver>) -> Bool {
        var outgoing = Burst()
        var incoming = Burst()
        var (made, back, last) = (0, 0, ContinuousClock.now)
        // The other end may not be there yet: the first is sent again until it comes.
        var resends = 0
        while back < arguments.number {
            if back == 0, made > 0, ContinuousClock.now - last > .milliseconds(200), resends < 100 {
                made = 0
                resends += 1
                last = ContinuousClock.now
            }
            let window = back == 0 ? 1 : 32
            while made < arguments.number, made - back < window, outgoing.room > 0,
                var packet = port.makePacket()
            {
                fill(&packet, made)
                outgoing.append(packet)
                made += 1
            }
            port.transmit(&outgoing)
            port.flush()
            if port.receive(into: &incoming) == 0 { wait(&port) }
            while let packet = incoming.popFirst() {
                guard Self.typeOf(packet) == 0x88b5 else { continue }
                let number = Self.number(in: packet)
                // One that was sent twice at the start.
                if number == 0, back > 0 { continue }
                guard number == back, isRight(packet, number) else {
                    say("{\"expected\": \(back), \"came\": \(number), \"octets\": \(packet.totalCount)}")
                    return false
                }
                back += 1
                last = ContinuousClock.now
            }
            if ContinuousClock.now - last > .seconds(20) {
                say("{\"made\": \(made), \"back\": \(back)}")
                return false
            }
        }
        return true
    }

    /// Sends so many frames, each at once, and again what the device does not take.
    mutating func send(_ port: inout Port<DPDKDriver>) {
        var burst = Burst()
        var number = 0
        while number < arguments.number || !burst.isEmpty {
            if number < arguments.number, burst.room > 0, var packet = port.makePacket() {
                fill(&packet, number)
                burst.append(packet)
                number += 1
            }
            port.transmit(&burst)
            port.flush()
            usleep(5000)
        }
    }

    private mutating func wait(_ port: inout Port<DPDKDriver>) {
        waits += 1
        port.wait(milliseconds: arguments.wait)
    }

    private func length(_ number: Int) -> Int { 60 + number * 37 % (arguments.longest - 59) }

    private func fill(_ packet: inout Packet, _ number: Int) {
        guard packet.append(length(number)) else { fatalError("a frame holds \(length(number)) octets") }
        var bytes = packet.mutableBytes
        for position in 0..<6 {
            bytes.storeBytes(of: 0xff, toByteOffset: position, as: UInt8.self)
            bytes.storeBytes(of: mac[position], toByteOffset: 6 + position, as: UInt8.self)
        }
        bytes.storeBytes(of: UInt16(0x88b5).bigEndian, toByteOffset: 12, as: UInt16.self)
        bytes.storeBytes(of: UInt32(number).bigEndian, toByteOffset: 14, as: UInt32.self)
        for position in 18..<bytes.byteCount {
            bytes.storeBytes(
                of: UInt8(truncatingIfNeeded: number &+ position), toByteOffset: position, as: UInt8.self)
        }
    }

    private func isRight(_ packet: borrowing Packet, _ number: Int) -> Bool {
        var octets: [UInt8] = []
        packet.forEachSegment { segment in
            for position in 0..<segment.byteCount {
                octets.append(unsafe segment.unsafeLoad(fromByteOffset: position, as: UInt8.self))
            }
        }
        // The other end has put its own address in front.
        return octets.count == length(number) && Array(octets[0..<6]) == mac
            && (18..<octets.count).allSatisfy { octets[$0] == UInt8(truncatingIfNeeded: number &+ $0) }
    }

    private static func number(in packet: borrowing Packet) -> Int {
        let bytes = packet.bytes
        return Int(UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 14, as: UInt32.self)))
    }

    private static func typeOf(_ packet: borrowing Packet) -> UInt16 {
        let bytes = packet.bytes
        guard bytes.byteCount >= 42 else { return 0 }
        return UInt16(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 12, as: UInt16.self))
    }

    /// Makes a packet its own answer; `false` when it has none.
    private func answerTo(_ packet: inout Packet) -> Bool {
        let type = Self.typeOf(packet)
        // Sound: the packet has 42 octets, or the type is 0.
        let data = unsafe packet.rawFrame.data
        func octet(_ position: Int) -> UInt8 { unsafe data.load(fromByteOffset: position, as: UInt8.self) }
        func set(_ position: Int, _ value: UInt8) {
            unsafe data.storeBytes(of: value, toByteOffset: position, as: UInt8.self)
        }
        func swap(_ one: Int, _ other: Int, _ count: Int) {
            for position in 0..<count {
                let first = octet(one + position)
                set(one + position, octet(other + position))
                set(other + position, first)
            }
        }
        switch type {
        case 0x0806 where octet(21) == 1 && octet(41) == 2:
            swap(22, 32, 10)
            set(21, 2)
            for position in 0..<6 { set(22 + position, mac[position]) }
        case 0x0800 where octet(23) == 1 && octet(34) == 8:
            swap(26, 30, 4)
            set(34, 0)
            let sum = UInt32(octet(36)) << 8 + UInt32(octet(37)) + 0x0800
            let folded = sum & 0xffff + sum >> 16
            set(36, UInt8(folded >> 8))
            set(37, UInt8(folded & 0xff))
        case 0x0800 where octet(23) == 17 && octet(36) == 0 && octet(37) == 7:
            swap(26, 30, 4)
            swap(34, 36, 2)
        case 0x88b5: break
        default: return false
        }
        swap(0, 6, 6)
        for position in 0..<6 { set(6 + position, mac[position]) }
        return true
    }
}
