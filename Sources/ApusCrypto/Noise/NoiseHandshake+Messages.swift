extension NoiseHandshake {
    /// Writes the next message (section 5.3, WriteMessage).
    ///
    /// - Parameters:
    ///   - payload: what goes with it. Whom it is secret from and what it proves differs from message to message (section 7.7):
    ///     IK's first can be replayed.
    ///   - message: where it goes; what is behind it stays as it is. The payload may not lie there.
    ///   - random: where the ephemeral key comes from.
    /// - Returns: how many octets it has: ``overhead`` and the payload's.
    public mutating func write<Source: RandomSource & ~Copyable>(
        payload: RawSpan = RawSpan(), into message: inout MutableRawSpan, random: inout Source
    ) throws(NoiseError) -> Int {
        guard isToWrite else { throw .outOfTurn }
        let length = overhead + payload.byteCount
        guard length <= Self.longestMessage else { throw .messageLength(length) }
        guard message.byteCount >= length else { throw .room(message.byteCount, needed: length) }
        try accept { state throws(NoiseError) in
            var offset = 0
            for token in state.agreed.pattern.messages[state.messageCount] {
                switch token {
                case .e:
                    let key = try state.makeEphemeral(&random)
                    message.write(key.bytes, at: offset)
                    offset += 32
                    try state.said(ephemeral: key)
                case .s:
                    guard let key = state.localStatic else { throw .wrongKeys("no static key") }
                    offset = try state.encryptAndHash(key.bytes, into: &message, at: offset)
                default: try state.mix(token)
                }
            }
            _ = try state.encryptAndHash(payload, into: &message, at: offset)
        }
        return length
    }

    /// Reads the next message (section 5.3, ReadMessage).
    ///
    /// - Parameters:
    ///   - message: as the peer wrote it.
    ///   - payload: where what goes with it is put.
    /// - Returns: how many octets the payload has.
    public mutating func read(
        _ message: RawSpan, into payload: inout MutableRawSpan
    ) throws(NoiseError) -> Int {
        guard !isDone, !isToWrite else { throw .outOfTurn }
        let count = message.byteCount - overhead
        guard count >= 0, message.byteCount <= Self.longestMessage else {
            throw .messageLength(message.byteCount)
        }
        guard payload.byteCount >= count else { throw .room(payload.byteCount, needed: count) }
        try accept { state throws(NoiseError) in
            var offset = 0
            for token in state.agreed.pattern.messages[state.messageCount] {
                switch token {
                case .e:
                    guard let key = PublicKey(message.extracting(offset..<offset + 32)) else {
                        throw .messageLength(message.byteCount)
                    }
                    offset += 32
                    state.transcript.remoteEphemeral = key
                    try state.said(ephemeral: key)
                case .s:
                    let end = offset + (state.transcript.hasKey ? 48 : 32)
                    var octets = InlineArray<32, UInt8>(repeating: 0)
                    var span = octets.mutableSpan
                    // Sound: any bits are an octet.
                    var bytes = unsafe span.mutableBytes
                    try state.decryptAndHash(message.extracting(offset..<end), into: &bytes)
                    state.transcript.remoteStatic = PublicKey(bytes.bytes)
                    offset = end
                default: try state.mix(token)
                }
            }
            var room = payload._mutatingExtracting(0..<count)
            try state.decryptAndHash(message.extracting(offset..<message.byteCount), into: &room)
        }
        return count
    }

    /// The keys of both directions (section 5.2, Split), once all messages were written and read.
    public consuming func split() throws(NoiseError) -> NoiseTransport {
        guard isDone else { throw .outOfTurn }
        do throws(CryptoError) {
            try derive(64, from: RawSpan())
            let first = try Secret(copying: derived.part(0..<32))
            let second = try Secret(copying: derived.part(32..<64))
            return role == .initiator
                ? NoiseTransport(send: first, receive: second, handshakeHash: transcript.hash)
                : NoiseTransport(send: second, receive: first, handshakeHash: transcript.hash)
        } catch { throw .crypto(error) }
    }
}

/// What a handshake ends in: keys of 32 octets, one for each direction.
public struct NoiseTransport: ~Copyable, Sendable {
    /// The key of what this side sends.
    public let send: Secret
    /// The key of what the peer sends.
    public let receive: Secret
    /// The hash of all that was said, which names this session (section 11.2).
    public let handshakeHash: InlineArray<32, UInt8>

    init(send: consuming Secret, receive: consuming Secret, handshakeHash: InlineArray<32, UInt8>) {
        self.send = send
        self.receive = receive
        self.handshakeHash = handshakeHash
    }
}

extension MutableRawSpan {
    /// Copies octets to a place.
    mutating func write(_ octets: RawSpan, at offset: Int) {
        precondition(offset >= 0 && octets.byteCount <= byteCount - offset)
        // Sound: the room is there, and may even be where the octets are.
        unsafe withUnsafeMutableBytes { room in
            unsafe octets.withUnsafeBytes { octets in
                guard let from = octets.baseAddress, let start = room.baseAddress else { return }
                unsafe (start + offset).copyMemory(from: from, byteCount: octets.count)
            }
        }
    }
}
