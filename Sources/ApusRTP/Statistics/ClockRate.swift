/// The clock that a stream's RTP timestamps count, in Hz.
///
/// Jitter is measured in timestamp units, so it means nothing without this. Static payload types
/// have one by RFC 3551; for the dynamic ones a relay that sees no signalling must measure it.
public enum ClockRate {
    /// The rate that RFC 3551 section 6 gives a static payload type; `nil` for a dynamic one.
    public static func ofStaticPayloadType(_ type: UInt8) -> UInt32? {
        switch type {
        case 0, 3, 4, 5, 7, 8, 9, 12, 13, 15, 18: 8000
        case 6: 16000
        case 10, 11: 44100
        case 14, 25, 26, 28, 31, 32, 33, 34: 90000
        case 16: 11025
        case 17: 22050
        default: nil
        }
    }

    /// The rates that payload formats use, in rising order; a measured rate is taken to be the nearest.
    public static var usual: InlineArray<11, UInt32> {
        [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 90000, 96000]
    }

    /// The usual rate within 1/64 of that one, or 0. The nearest two are 1/15 apart.
    static func usual(near measured: Double) -> UInt32 {
        let rates = usual
        for index in rates.indices {
            let rate = Double(rates[index])
            if abs(rate - measured) * 64 < rate { return rates[index] }
        }
        return 0
    }
}
