import COpenSSL
import Synchronization

/// Slots of one size in locked memory, for the whole process: a page holds many keys.
///
/// Pages are mapped as they are needed and never given back, so that what was once the most is what stays locked. A slot
/// that is free is all zeroes.
struct SecretArena: Sendable {
    /// How long a slot is, in octets: aligned to as many as a cache line has.
    let slot: Int

    /// What is mapped at a time.
    private static let chunk = 16_384

    /// Keys, and what is made on the way to them.
    static let secrets = SecretArena(slot: 128)
    /// Expanded keys of one thread's ciphers.
    static let ciphers = SecretArena(slot: 2048)

    /// The slots of one size: where those are that are free, and how many there are.
    private struct Slots {
        var free: [UInt] = []
        var count = 0
    }

    private static let all = Mutex<[Int: Slots]>([:])

    /// A slot, all zeroes.
    func take() throws(CryptoError) -> UnsafeMutableRawPointer {
        let address = try Self.all.withLock { all throws(CryptoError) -> UInt in
            if let address = all[slot, default: Slots()].free.popLast() { return address }
            let start = try unsafe LockedMemory.map(Self.chunk)
            let first = UInt(bitPattern: start)
            let more = stride(from: first, to: first + UInt(Self.chunk), by: slot)
            all[slot, default: Slots()].count += Self.chunk / slot
            all[slot]?.free.append(contentsOf: more)
            // Room for all, so that giving one back takes no memory.
            if let count = all[slot]?.count { all[slot]?.free.reserveCapacity(count) }
            return all[slot]?.free.popLast() ?? first
        }
        // Sound: the address of a mapping that is never undone, which is not 0.
        return unsafe UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped
    }

    /// Wipes a slot, and has it back.
    func give(_ start: UnsafeMutableRawPointer) {
        // Sound: a slot is so long, and its owner is gone.
        unsafe OPENSSL_cleanse(start, slot)
        let address = UInt(bitPattern: start)
        Self.all.withLock { $0[slot]?.free.append(address) }
    }
}
