import Glibc

/// Which layer of a captured frame (Ethernet, IPv4 without options, UDP) a target begins with, in octets.
private let layers = [("ethernet_udp", 0), ("ipv4", 14), ("icmp", 34), ("rtp", 42), ("checksum", 0)]

/// Writes frames of a pcap file as seeds, every eighth of them, under `folder`/TARGET/.
func writeSeeds(capture path: String, into folder: String) -> Bool {
    guard let octets = contents(path), octets.count >= 24 else { return false }
    // The magic number of pcap(5), least significant octet first, with microseconds or nanoseconds.
    guard octets[1...3] == [0xc3, 0xb2, 0xa1] || octets[1...3] == [0x3c, 0xb2, 0xa1] else { return false }
    let stem = path.split(separator: "/").last ?? ""
    var offset = 24
    var number = 0
    while octets.count - offset >= 16 {
        let length = (0..<4).reduce(0) { $0 | Int(octets[offset + 8 + $1]) << (8 * $1) }
        guard length <= octets.count - offset - 16 else { return false }
        let frame = octets[offset + 16..<offset + 16 + length]
        if number % 8 == 0 {
            for (target, start) in layers where start < length {
                let file = "\(folder)/\(target)/\(stem)-\(number)"
                guard write(frame.dropFirst(start), to: file) else { return false }
            }
        }
        (offset, number) = (offset + 16 + length, number + 1)
    }
    return true
}

/// Writes the lines of a file of hexadecimal digits as seeds to `folder`, but for those that begin with #.
func writeSeeds(hexadecimal path: String, into folder: String) -> Bool {
    guard let octets = contents(path) else { return false }
    let lines = octets.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }
    for (number, line) in lines.enumerated() {
        let digits = line.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == line.count, digits.count % 2 == 0 else {
            print("\(path): seed \(number + 1) is not pairs of hexadecimal digits")
            return false
        }
        let seed = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        guard write(seed[...], to: "\(folder)/seed-\(number + 1)") else { return false }
    }
    return true
}

private func contents(_ path: String) -> [UInt8]? {
    guard let file = unsafe fopen(path, "rb") else { return nil }
    defer { unsafe fclose(file) }
    var octets: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe fread(&chunk, 1, chunk.count, file)
        if count == 0 { return octets }
        octets += chunk[..<count]
    }
}

private func write(_ octets: ArraySlice<UInt8>, to path: String) -> Bool {
    guard let file = unsafe fopen(path, "wb") else { return false }
    defer { unsafe fclose(file) }
    let copy = Array(octets)
    return unsafe fwrite(copy, 1, copy.count, file) == copy.count
}
