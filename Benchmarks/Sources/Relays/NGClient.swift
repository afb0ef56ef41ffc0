import Apus
import Foundation

/// Speaks rtpengine's control protocol, "ng": a cookie, a blank and a bencoded dictionary in a datagram, and the
/// same back.
package final class NGClient {
    private let socket: Int32
    private var cookie = 0

    /// A client in a namespace, for the rtpengine that listens at that port of its loopback interface.
    init(in space: Space, port: UInt16) throws {
        let (socket, code) = try space.enter { () -> (Int32, Int32) in
            let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            // Sound: a sockaddr_in is a sockaddr of the length that is given.
            let connected = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            var limit = timeval(tv_sec: 1, tv_usec: 0)
            unsafe setsockopt(
                socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            return (socket, connected == 0 ? 0 : errno)
        }
        self.socket = socket
        guard code == 0 else { throw RelayError.code("the socket to rtpengine", code) }
    }

    deinit { close(socket) }

    /// Whether it answers a ping.
    var isAnswering: Bool { (try? ask(["command": .string("ping")]))?["result"] == .string("pong") }

    /// Has it relay what comes from one place to another, and gives the port where it has to be sent.
    ///
    /// A call as two phones would set it up: offered, and answered. rtpengine learns no address from packets, asks
    /// for no ICE, encrypts and transcodes nothing.
    func call(
        _ name: String, from: (address: IPv4Address, port: UInt16), to: (address: IPv4Address, port: UInt16)
    ) throws -> UInt16 {
        let common: [String: Bencode] = [
            "call-id": .string(name), "from-tag": .string("camera"), "ICE": .string("remove"),
            "transport-protocol": .string("RTP/AVP"), "rtcp-mux": .list([.string("demux")]),
            "replace": .list([.string("origin"), .string("session-connection")]),
            "flags": .list(["asymmetric", "trust-address", "no-rtcp-attribute"].map(Bencode.string)),
        ]
        let offer: [String: Bencode] = [
            "command": .string("offer"), "sdp": .string(Self.description(from)),
            "direction": .list([.string("in"), .string("out")]),
        ]
        let answer: [String: Bencode] = [
            "command": .string("answer"), "sdp": .string(Self.description(to)), "to-tag": .string("screen"),
        ]
        var reply = Bencode.integer(0)
        for request in [offer, answer] {
            reply = try ask(common.merging(request) { $1 })
            guard reply["result"] == .string("ok") else {
                throw RelayError("rtpengine refuses \(name): \(reply["error-reason"]?.text ?? "\(reply)")")
            }
        }
        guard let port = Self.mediaPort(of: reply["sdp"]?.text ?? "") else {
            throw RelayError("rtpengine's answer has no media: \(reply)")
        }
        return port
    }

    /// One audio stream of G.711, whose payload type needs no explanation.
    private static func description(_ place: (address: IPv4Address, port: UInt16)) -> String {
        [
            "v=0", "o=- 1 1 IN IP4 \(place.address)", "s=-", "c=IN IP4 \(place.address)", "t=0 0",
            "m=audio \(place.port) RTP/AVP 0", "a=sendrecv", "",
        ].joined(separator: "\r\n")
    }

    /// The port of the first media description (RFC 8866 section 5.14).
    package static func mediaPort(of description: String) -> UInt16? {
        for line in description.split(whereSeparator: \.isNewline) where line.hasPrefix("m=") {
            let words = line.split(separator: " ")
            return words.count > 1 ? UInt16(words[1]) : nil
        }
        return nil
    }

    private func ask(_ request: [String: Bencode]) throws -> Bencode {
        cookie += 1
        let head = Array("\(cookie) ".utf8)
        let bytes = head + Bencode.dictionary(request).encoded
        guard unsafe send(socket, bytes, bytes.count, 0) == bytes.count else {
            throw RelayError.code("rtpengine's control port", errno)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(socket, &buffer, buffer.count, 0)
            guard count >= 0 else { throw RelayError.code("rtpengine's answer", errno) }
            // Late answers to earlier questions have other cookies.
            guard buffer.prefix(count).starts(with: head) else { continue }
            return try Bencode(decoding: buffer[head.count..<count])
        }
    }
}
