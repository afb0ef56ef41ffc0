import ApusConfig
import ApusWire

/// Which stream has which slot: a stream keeps its own over reloads, and with it its statistics.
///
/// A stream is the same one when its name and its listening address are the same.
struct StreamDirectory {
    /// A slot that is taken.
    struct Place: Equatable {
        let slot: Int
        let generation: UInt64
    }

    private struct Identity: Hashable {
        let name: String
        let listen: Endpoint
    }

    private var places: [Identity: Place] = [:]
    private var free: [Int]
    private var lastGeneration: UInt64 = 0

    init(slots: Int) { free = Array((0..<slots).reversed()) }

    /// Gives every stream a slot and takes back those of streams that are gone.
    ///
    /// - Returns: the places, in the order of `streams`; `nil` when there are more streams than slots.
    mutating func assign(_ streams: [StreamConfiguration]) -> [Place]? {
        var (old, new, taken) = (places, [Identity: Place](), free)
        var result: [Place] = []
        var fresh: [(Int, Identity)] = []
        for (position, stream) in streams.enumerated() {
            let identity = Identity(name: stream.name, listen: stream.listen)
            if let place = old.removeValue(forKey: identity) {
                new[identity] = place
                result.append(place)
            } else {
                fresh.append((position, identity))
                result.append(Place(slot: -1, generation: 0))
            }
        }
        taken += old.values.map(\.slot).sorted(by: >)
        guard fresh.count <= taken.count else { return nil }
        for (position, identity) in fresh {
            lastGeneration += 1
            let place = Place(slot: taken.removeLast(), generation: lastGeneration)
            new[identity] = place
            result[position] = place
        }
        (places, free) = (new, taken)
        return result
    }
}
