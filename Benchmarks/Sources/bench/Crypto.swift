import Apus
import ApusBench
import CTwins

// Packets sealed and opened in place, by each backend beside bare calls of its library. The twin is Twins/crypto.c.

/// The suite `crypto`.
func crypto() -> [Comparison] {
    CryptoBackend.available.flatMap { backend in
        [AEADAlgorithm.aes128GCM, .chaCha20Poly1305].flatMap { algorithm in
            [CryptoWork.seal, .open, .sealWithKey].flatMap { work in
                [64, 160, 1188, 1400].map { comparison(backend, algorithm, work, $0) }
            }
        }
    }
}

/// The libraries' versions.
var cryptoVersions: [String: String] {
    var versions: [String: String] = [:]
    for backend in CryptoBackend.available { versions["\(backend)"] = backend.version }
    return versions
}

/// What can't be measured here.
var cryptoLeftOut: [String] {
    CryptoBackend.allCases.compactMap { backend in
        backend.obstacle.map { "crypto: without \(backend): \($0)" }
    }
}

/// What is done with a packet.
private enum CryptoWork: String {
    case seal, open
    /// The key comes with each packet, and is expanded for it.
    case sealWithKey = "seal-with-key"
}

private func comparison(
    _ backend: CryptoBackend, _ algorithm: AEADAlgorithm, _ work: CryptoWork, _ size: Int
) -> Comparison {
    let names = (
        algorithm == .aes128GCM ? "aes-128-gcm" : "chacha20-poly1305",
        backend == .openSSL ? "openssl" : "ipsec-mb"
    )
    return Comparison("crypto/\(work.rawValue)/\(names.0)/\(names.1)/\(size)", per: "packet") {
        let ours = try Packets(backend, algorithm, size)
        let twin = try Twin(backend, algorithm, size)
        try check(ours, twin)
        switch work {
        case .seal: return (Competitor("Apus", run: ours.seal), Competitor("C", run: twin.seal))
        case .open: return (Competitor("Apus", run: ours.open), Competitor("C", run: twin.open))
        case .sealWithKey:
            return (Competitor("Apus", run: ours.sealWithKey), Competitor("C", run: twin.sealWithKey))
        }
    }
}

/// A header of as many octets as QUIC's short one has with a connection ID of 8, and a packet number of 4.
private let headerLength = 13
private let keyOctets = (0..<32).map { UInt8($0 * 7 &+ 1) }
private let vectorOctets = (0..<12).map { UInt8($0 * 5 &+ 3) }

/// That both seal to the same octets.
private func check(_ ours: Packets, _ twin: Twin) throws {
    _ = (ours.seal(1), twin.seal(1))
    guard ours.octets == twin.octets else { throw BenchError("Apus and C seal to other octets") }
    _ = (ours.sealWithKey(1), twin.sealWithKey(1))
    guard ours.octets == twin.octets else { throw BenchError("with a key they seal to other octets") }
    _ = (ours.open(1), twin.open(1))
    guard ours.octets == twin.octets else { throw BenchError("Apus and C open to other octets") }
}

/// Apus' side.
private final class Packets {
    private var cipher: AEAD
    private var packet: LockedMemory
    private var sealed: LockedMemory
    private let key: Secret
    private let vector: Nonce

    init(_ backend: CryptoBackend, _ algorithm: AEADAlgorithm, _ size: Int) throws {
        var key = try Secret(byteCount: algorithm.keyLength)
        var bytes = key.mutableBytes
        for offset in 0..<bytes.byteCount {
            bytes.storeBytes(of: keyOctets[offset], toByteOffset: offset, as: UInt8.self)
        }
        // Sound: octets have no padding.
        let vector = Nonce(unsafe vectorOctets.span.bytes)
        var cipher = try AEAD(algorithm, backend: backend)
        cipher.setKey(key.bytes)
        let packet = try LockedMemory(byteCount: headerLength + size + AEADAlgorithm.tagLength)
        var sealed = try LockedMemory(byteCount: packet.byteCount)
        var octets = sealed.mutableBytes
        cipher.seal(&octets, headerLength: headerLength, nonce: vector)
        self.cipher = cipher
        self.packet = packet
        self.sealed = sealed
        self.key = key
        self.vector = vector
    }

    func seal(_ repeats: Int) -> Int {
        Self.seal(&cipher, &packet, vector, repeats)
        return repeats
    }

    func sealWithKey(_ repeats: Int) -> Int {
        Self.sealWithKey(&cipher, &packet, vector, key, repeats)
        return repeats
    }

    func open(_ repeats: Int) -> Int {
        precondition(Self.open(&cipher, sealed, &packet, vector, repeats), "a packet is refused")
        return repeats
    }

    // Outside the class, since what is in it is looked after with each access.
    private static func seal(
        _ cipher: inout AEAD, _ packet: inout LockedMemory, _ vector: Nonce, _ repeats: Int
    ) {
        var octets = packet.mutableBytes
        for number in 0..<UInt64(repeats) {
            cipher.seal(
                &octets, headerLength: headerLength, nonce: Nonce(vector, packetNumber: number))
        }
    }

    private static func sealWithKey(
        _ cipher: inout AEAD, _ packet: inout LockedMemory, _ vector: Nonce, _ key: borrowing Secret,
        _ repeats: Int
    ) {
        var octets = packet.mutableBytes
        for number in 0..<UInt64(repeats) {
            cipher.seal(
                &octets, headerLength: headerLength, nonce: Nonce(vector, packetNumber: number),
                key: key.bytes)
        }
    }

    private static func open(
        _ cipher: inout AEAD, _ sealed: borrowing LockedMemory, _ packet: inout LockedMemory, _ vector: Nonce,
        _ repeats: Int
    ) -> Bool {
        var octets = packet.mutableBytes
        for _ in 0..<repeats {
            // Sound: both are as long.
            unsafe sealed.bytes.withUnsafeBytes { sealed in
                unsafe octets.withUnsafeMutableBytes { unsafe $0.copyMemory(from: sealed) }
            }
            guard cipher.open(&octets, headerLength: headerLength, nonce: Nonce(vector, packetNumber: 0))
            else {
                return false
            }
        }
        return true
    }

    var octets: [UInt8] { array(packet) }
}

/// C's, on memory of the same kind.
@safe private final class Twin {
    private let aead: OpaquePointer
    private var packet: LockedMemory
    private var sealed: LockedMemory

    init(_ backend: CryptoBackend, _ algorithm: AEADAlgorithm, _ size: Int) throws {
        let kind = (Int32(backend == .openSSL ? 0 : 1), Int32(algorithm == .aes128GCM ? 0 : 1))
        let length = headerLength + size + AEADAlgorithm.tagLength
        let packet = try LockedMemory(byteCount: length)
        var sealed = try LockedMemory(byteCount: length)
        guard let aead = unsafe aead_make(kind.0, kind.1, keyOctets, vectorOctets) else {
            throw BenchError("C can't start \(backend)")
        }
        unsafe Self.seal(aead, &sealed, 1, keyed: 0)
        unsafe self.aead = aead
        self.packet = packet
        self.sealed = sealed
    }

    deinit { unsafe aead_free(aead) }

    func seal(_ repeats: Int) -> Int {
        unsafe Self.seal(aead, &packet, repeats, keyed: 0)
        return repeats
    }

    func sealWithKey(_ repeats: Int) -> Int {
        unsafe Self.seal(aead, &packet, repeats, keyed: 1)
        return repeats
    }

    func open(_ repeats: Int) -> Int {
        unsafe Self.open(aead, sealed, &packet, repeats)
        return repeats
    }

    private static func seal(
        _ aead: OpaquePointer, _ packet: inout LockedMemory, _ repeats: Int, keyed: Int32
    ) {
        var octets = packet.mutableBytes
        // Sound: the packet is as long.
        unsafe octets.withUnsafeMutableBytes { octets in
            let isDone = unsafe aead_seal(
                aead, keyed, octets.baseAddress, headerLength, octets.count, repeats)
            precondition(isDone, "a packet is refused")
        }
    }

    private static func open(
        _ aead: OpaquePointer, _ sealed: borrowing LockedMemory, _ packet: inout LockedMemory, _ repeats: Int
    ) {
        var octets = packet.mutableBytes
        // Sound: both packets are as long.
        unsafe sealed.bytes.withUnsafeBytes { sealed in
            unsafe octets.withUnsafeMutableBytes { octets in
                let isDone = unsafe aead_open(
                    aead, sealed.baseAddress, octets.baseAddress, headerLength, octets.count, repeats)
                precondition(isDone, "a packet is refused")
            }
        }
    }

    var octets: [UInt8] { array(packet) }
}

/// A copy of the octets.
private func array(_ memory: borrowing LockedMemory) -> [UInt8] {
    let span = memory.bytes
    // Sound: the offsets are inside, and any bits are an octet.
    return (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
}
