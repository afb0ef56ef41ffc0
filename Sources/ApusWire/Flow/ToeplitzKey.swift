/// A key of the hash by which network cards spread flows over their queues (Toeplitz; Microsoft, "RSS hashing types";
/// the 40 octets of `ethtool -x`).
///
/// It says which queue a card takes a flow to. Software that chooses for itself has a better hash in ``FlowHash``: some
/// hundred steps are made here, a bit of the addresses each.
public struct ToeplitzKey: Sendable {
    /// Its 40 octets, as five words in network order.
    public let words: InlineArray<5, UInt64>

    /// A key.
    public init(words: InlineArray<5, UInt64>) { self.words = words }

    /// The one of Microsoft's definition, with which its published values come out.
    public static var microsoft: ToeplitzKey {
        ToeplitzKey(words: [
            0x6d5a_56da_255b_0ec2, 0x4167_253d_43a3_8fb0, 0xd0ca_2bcb_ae7b_30b4, 0x77cb_2da3_8030_f20c,
            0x6a42_b73b_beac_01fa,
        ])
    }

    /// One that gives both directions of a flow the same value, as it is the same 16 bits again and again (Woo and Park,
    /// "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012).
    ///
    /// The price: only the exclusive or of all 16-bit words counts. Flows from each port to the same number elsewhere
    /// (5004 to 5004, 5006 to 5006) all get one value, and so one queue.
    public static var symmetric: ToeplitzKey {
        ToeplitzKey(words: .init(repeating: 0x6d5a_6d5a_6d5a_6d5a))
    }

    /// The hash of addresses and ports: of a UDP or TCP packet.
    ///
    /// - Precondition: both addresses are of one family.
    public func hash(from source: Endpoint, to destination: Endpoint) -> UInt32 {
        let ports = UInt64(source.port) << 16 | UInt64(destination.port)
        var sum = Sum(words)
        sum.add(source.address, destination.address)
        sum.add(ports, bits: 32)
        return sum.value
    }

    /// The hash of addresses: of any other packet, and of fragments.
    ///
    /// - Precondition: both addresses are of one family.
    public func hash(from source: IPAddress, to destination: IPAddress) -> UInt32 {
        var sum = Sum(words)
        sum.add(source, destination)
        return sum.value
    }

    /// A hash in the making: for each bit of the input that is set, the 32 bits of the key that begin at its place.
    private struct Sum {
        let words: InlineArray<5, UInt64>
        var position = 0
        var value: UInt32 = 0

        init(_ words: InlineArray<5, UInt64>) { self.words = words }

        mutating func add(_ source: IPAddress, _ destination: IPAddress) {
            switch (source, destination) {
            case (.v4(let one), .v4(let other)):
                add(UInt64(one.bits) << 32 | UInt64(other.bits), bits: 64)
            case (.v6(let one), .v6(let other)):
                for half in [one.high, one.low, other.high, other.low] { add(half, bits: 64) }
            default: preconditionFailure("a flow has two addresses of one family")
            }
        }

        /// Adds the lowest `count` bits of a word, from the highest of them on.
        mutating func add(_ word: UInt64, bits count: Int) {
            for bit in (0..<count).reversed() {
                if word >> UInt64(bit) & 1 != 0 { value ^= window }
                position += 1
            }
        }

        private var window: UInt32 {
            let (word, offset) = (position / 64, UInt64(position % 64))
            // The last place that counts is 287, in front of the key's last 32 bits.
            let next = offset == 0 || word == 4 ? 0 : words[word + 1] >> (64 - offset)
            return UInt32(truncatingIfNeeded: (words[word] << offset | next) >> 32)
        }
    }
}
