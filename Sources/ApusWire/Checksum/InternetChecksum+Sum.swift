extension InternetChecksum {
    /// The sum of all octets from `start` on, onto `initial`. `start` must not be beyond `byteCount`.
    @unsafe @inlinable
    static func sum(_ bytes: RawSpan, from start: Int, onto initial: UInt64) -> UInt64 {
        var (a, b) = (initial, UInt64(0))
        var i = start
        let end = bytes.byteCount
        while end &- i >= 32 {
            a = plus(a, unsafe bytes.native64(i))
            b = plus(b, unsafe bytes.native64(i &+ 8))
            a = plus(a, unsafe bytes.native64(i &+ 16))
            b = plus(b, unsafe bytes.native64(i &+ 24))
            i &+= 32
        }
        a = plus(a, b)
        while end &- i >= 8 {
            a = plus(a, unsafe bytes.native64(i))
            i &+= 8
        }
        // Seven octets at most are left; they fit one word, so that one addition takes them.
        var rest: UInt64 = 0
        var shift: UInt64 = 0
        if end &- i >= 4 {
            rest = UInt64(unsafe bytes.native32(i))
            (i, shift) = (i &+ 4, 32)
        }
        if end &- i >= 2 {
            rest |= UInt64(unsafe bytes.native16(i)) << shift
            (i, shift) = (i &+ 2, shift &+ 16)
        }
        if end &- i == 1 {
            rest |= UInt64(UInt16(unsafe bytes.octet(i)).littleEndian) << shift
        }
        return plus(a, rest)
    }
}

extension RawSpan {
    @unsafe @inlinable @inline(__always)
    func native64(_ offset: Int) -> UInt64 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    }

    @unsafe @inlinable @inline(__always)
    func native32(_ offset: Int) -> UInt32 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
    }

    @unsafe @inlinable @inline(__always)
    func native16(_ offset: Int) -> UInt16 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self)
    }
}
