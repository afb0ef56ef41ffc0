import Relays
import Testing

@Suite struct BencodeTests {
    static let values: [(Bencode, String)] = [
        (.integer(0), "i0e"), (.integer(-42), "i-42e"), (.string(""), "0:"),
        (.string("v=0\r\n"), "5:v=0\r\n"),
        (.list([]), "le"), (.list([.integer(1), .list([.string("a")])]), "li1el1:aee"),
        (.dictionary([:]), "de"),
        (.dictionary(["result": .string("ok"), "a-b": .integer(7)]), "d3:a-bi7e6:result2:oke"),
    ]

    @Test(arguments: values) func bothWays(value: Bencode, text: String) throws {
        #expect(String(decoding: value.encoded, as: UTF8.self) == text)
        #expect(try Bencode(decoding: text.utf8) == value)
    }

    /// Whatever is cut off or claims more than there is.
    @Test(arguments: [
        "", "i", "ie", "i1", "ixe", "5:abc", "-1:", "99999999999999999999:a", "l", "li1e", "d", "d1:a",
        "d1:ae",
        "di1e1:ae", "e", "i1ei2e", "d1:ai1e1:ai2ee", "3", ":", "i99999999999999999999999e",
    ]) func refuses(text: String) {
        #expect(throws: Bencode.Malformed.self) { try Bencode(decoding: text.utf8) }
    }

    @Test func depth() {
        let deep = [UInt8](repeating: UInt8(ascii: "l"), count: 100_000)
        #expect(throws: Bencode.Malformed.self) { try Bencode(decoding: deep) }
    }

    /// Each beginning of a whole answer is refused, and none of them traps.
    @Test func everyBeginning() throws {
        let whole = Bencode.dictionary(["sdp": .string("v=0"), "l": .list([.integer(1)])]).encoded
        for count in 0..<whole.count {
            #expect(throws: Bencode.Malformed.self) { try Bencode(decoding: whole.prefix(count)) }
        }
    }

    @Test func mediaPort() {
        #expect(NGClient.mediaPort(of: "v=0\r\nm=audio 20012 RTP/AVP 0\r\nm=video 9 RTP/AVP 96\r\n") == 20012)
        #expect(NGClient.mediaPort(of: "v=0\r\nm=audio 99999 RTP/AVP 0\r\n") == nil)
        #expect(NGClient.mediaPort(of: "m=") == nil)
    }
}
