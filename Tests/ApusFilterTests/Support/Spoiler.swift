import Glibc
import Seeds

/// Frames that somebody has spoiled, by seed.
struct Spoiler {
    private var random: Seeded
    private var frames: Frames

    init(_ random: Seeded) {
        self.random = random
        frames = Frames(Seeded(self.random.next()))
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    private mutating func octets(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &random) }
    }

    /// The next frame, of 14 octets at least.
    mutating func next() -> [UInt8] {
        let choice = number(0...9)
        if choice == 0 { return octets(number(14...200)) }
        var frame =
            choice < 4 && !Self.captured.isEmpty
            ? Self.captured[number(0...Self.captured.count - 1)] : frames.next()
        for _ in 0..<number(0...4) where frame.count > 14 {
            // Mostly in the headers.
            let place = number(12...min(frame.count - 1, number(0...3) == 0 ? 2000 : 80))
            let end = min(frame.count, place + number(1...8))
            switch number(0...5) {
            case 0: frame[place] = octets(1)[0]
            case 1: frame[place] ^= 1 << UInt8(number(0...7))
            case 2: frame[place] = [0, 1, 0x7f, 0x80, 0xff][number(0...4)]
            case 3: frame.removeSubrange(place..<end)
            case 4: frame.insert(contentsOf: frame[place..<end], at: place)
            default: frame.removeSubrange(place...)
            }
        }
        if frame.count < 14 { frame += octets(14 - frame.count) }
        return Array(frame.prefix(2000))
    }

    /// The frames of the captures that developers share, if they are here.
    private static let captured: [[UInt8]] = {
        guard let shared = unsafe getenv("APUS_SHARED") else { return [] }
        let folder = unsafe String(cString: shared) + "/captures"
        return ["h264", "vp8"].flatMap { frames(of: "\(folder)/\($0).pcap") }
    }()

    /// The frames of a file in the form of pcap(5), least significant octet first.
    private static func frames(of path: String) -> [[UInt8]] {
        guard let file = unsafe fopen(path, "rb") else { return [] }
        defer { unsafe fclose(file) }
        var octets = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe fread(&octets, 1, octets.count, file)
        octets.removeLast(octets.count - count)
        guard octets.starts(with: [0xd4, 0xc3, 0xb2, 0xa1]) else { return [] }
        var (frames, offset): ([[UInt8]], Int) = ([], 24)
        while octets.count - offset >= 16 {
            let length = (0..<4).reduce(0) { $0 | Int(octets[offset + 8 + $1]) << (8 * $1) }
            guard octets.count - offset - 16 >= length else { break }
            frames.append(Array(octets[offset + 16..<offset + 16 + length]))
            offset += 16 + length
        }
        return frames
    }
}
